import { archiveKindOf, looksLikeInside, memberPath } from "../domain/archive.ts";
import { compileGlob } from "../domain/glob.ts";

export interface SelectionGlobs {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Whether archives are opened; not unless given. Then `include` does not keep an archive out, because it is meant for the members as well. */
  readonly archives?: boolean | undefined;
}

/** What of a source is scanned, by its globs. */
export interface Selection {
  /** Whether the file at this path below the root is one of the source's files. */
  readonly takesFile: (relPath: string) => boolean;
  /** Whether the folder at this path is looked into. */
  readonly entersFolder: (relPath: string) => boolean;
  /** Whether the member of this name of that archive is one of the source's files: by its whole path, as for a file. */
  readonly takesMember: (archivePath: string, name: string) => boolean;
}

/** Our own state and what our sinks have staged are never input, wherever a source's root lies. */
const ownFolders: ReadonlySet<string> = new Set([".casparian", "_casparian_staging"]);

/** No `include` takes every file; `exclude` beats `include`, and an excluded folder is not entered. Globs as in `domain/glob.ts`. */
export function selection(globs: SelectionGlobs): Selection {
  const include = globs.include.map((pattern) => compileGlob(pattern));
  const exclude = globs.exclude.map((pattern) => compileGlob(pattern));
  const isExcluded = (relPath: string): boolean => exclude.some((matches) => matches(relPath));
  const isIncluded = (relPath: string): boolean => include.length === 0 || include.some((matches) => matches(relPath));
  const isOpened = (relPath: string): boolean => globs.archives === true && archiveKindOf(relPath) !== null;
  return {
    takesFile: (relPath) => (isIncluded(relPath) || isOpened(relPath)) && !isExcluded(relPath),
    entersFolder: (relPath) =>
      !ownFolders.has(relPath.slice(relPath.lastIndexOf("/") + 1)) && !looksLikeInside(relPath) && !isExcluded(relPath),
    takesMember(archivePath, name) {
      const path = memberPath(archivePath, name);
      return isIncluded(path) && !isExcluded(path) && !foldersWithin(archivePath, name).some(isExcluded);
    },
  };
}

/** `drop.zip` and `a/b/c.csv`: `drop.zip!/a`, `drop.zip!/a/b`. */
function foldersWithin(archivePath: string, name: string): readonly string[] {
  const parts = name.split("/");
  return parts.slice(1).map((_, index) => memberPath(archivePath, parts.slice(0, index + 1).join("/")));
}
