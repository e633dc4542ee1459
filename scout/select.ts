import { compileGlob } from "../domain/glob.ts";

/** What of a source is scanned, by its globs. */
export interface Selection {
  /** Whether the file at this path below the root is one of the source's files. */
  readonly takesFile: (relPath: string) => boolean;
  /** Whether the folder at this path is looked into. */
  readonly entersFolder: (relPath: string) => boolean;
}

/** Our own state and what our sinks have staged are never input, wherever a source's root lies. */
const ownFolders: ReadonlySet<string> = new Set([".casparian", "_casparian_staging"]);

/** No `include` takes every file; `exclude` beats `include`, and an excluded folder is not entered. Globs as in `domain/glob.ts`. */
export function selection(globs: { readonly include: readonly string[]; readonly exclude: readonly string[] }): Selection {
  const include = globs.include.map((pattern) => compileGlob(pattern));
  const exclude = globs.exclude.map((pattern) => compileGlob(pattern));
  const isExcluded = (relPath: string): boolean => exclude.some((matches) => matches(relPath));
  return {
    takesFile: (relPath) => (include.length === 0 || include.some((matches) => matches(relPath))) && !isExcluded(relPath),
    entersFolder: (relPath) => !ownFolders.has(relPath.slice(relPath.lastIndexOf("/") + 1)) && !isExcluded(relPath),
  };
}
