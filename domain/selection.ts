import { archiveKindOf, looksLikeInside, memberPath } from "./archive.ts";
import { compileGlob } from "./glob.ts";

/** Which of a source's files are taken, by their paths. No `include` takes every file, `exclude` beats `include`. */
export interface SelectionGlobs {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Whether archives are opened; not unless given. Then `include` does not keep an archive out, because it is meant for the members as well. */
  readonly archives?: boolean | undefined;
}

/** Which of a source's files are taken, by what the file system says of them. */
export interface SelectionLimits {
  readonly sizeBytesMin: number;
  readonly sizeBytesMax: number | null;
  /** By the time of modification. */
  readonly ageMsMax: number | null;
}

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

/** An excluded folder is not entered, whatever `include` says of what is in it. Globs as in `domain/glob.ts`. */
export function selection(globs: SelectionGlobs): Selection {
  const include = globs.include.map((pattern) => compileGlob(pattern));
  const exclude = globs.exclude.map((pattern) => compileGlob(pattern));
  const isExcluded = (relPath: string): boolean => exclude.some((matches) => matches(relPath));
  const isIncluded = (relPath: string): boolean => include.length === 0 || include.some((matches) => matches(relPath));
  const isOpened = (relPath: string): boolean => globs.archives === true && archiveKindOf(relPath) !== null;
  return {
    takesFile: (relPath) => (isIncluded(relPath) || isOpened(relPath)) && !isExcluded(relPath),
    entersFolder: (relPath) => !ownFolders.has(nameOf(relPath)) && !looksLikeInside(relPath) && !isExcluded(relPath),
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

/** Why the globs leave this path out, as a sentence without a full stop; null where they take it. */
export function whyLeftOut(relPath: string, { include, exclude, archives }: SelectionGlobs): string | null {
  const parts = relPath.split("/");
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const path = parts.slice(0, depth).join("/");
    const isFile = depth === parts.length;
    if (!isFile && ownFolders.has(nameOf(path))) return `it is in ${path}, a folder of our own, which is never input`;
    const pattern = exclude.find((candidate) => compileGlob(candidate)(path));
    if (pattern !== undefined)
      return isFile ? `the source excludes ${pattern}` : `the source excludes ${pattern}, and so its folder ${path}`;
  }
  if (include.length === 0 || (archives === true && archiveKindOf(relPath) !== null)) return null;
  if (include.some((candidate) => compileGlob(candidate)(relPath))) return null;
  return `the source includes only ${include.join(", ")}`;
}

/** The kinds of finding under which a scan says what it left out by its source's limits. */
export const limitKinds = ["TOO_SMALL", "TOO_LARGE", "TOO_OLD"] as const;
export type LimitKind = (typeof limitKinds)[number];

/** Which limit a file is outside of: the first one, in the order of `limitKinds`; null for none. A scan asks the same in `db/scan-difference.ts`. */
export function outsideLimits(
  file: { readonly sizeBytes: number; readonly modifiedAtMs: number },
  limits: SelectionLimits,
  nowMs: number,
): LimitKind | null {
  if (file.sizeBytes < limits.sizeBytesMin) return "TOO_SMALL";
  if (limits.sizeBytesMax !== null && file.sizeBytes > limits.sizeBytesMax) return "TOO_LARGE";
  return limits.ageMsMax !== null && file.modifiedAtMs < nowMs - limits.ageMsMax ? "TOO_OLD" : null;
}

/** What such a limit says of a file: `smaller than 100 bytes`. */
export function describeLimit(kind: LimitKind, { sizeBytesMin, sizeBytesMax, ageMsMax }: SelectionLimits): string {
  if (kind === "TOO_SMALL") return `smaller than ${countBytes(sizeBytesMin)}`;
  return kind === "TOO_LARGE" ? `larger than ${countBytes(sizeBytesMax ?? 0)}` : `last modified more than ${spell(ageMsMax ?? 0)} ago`;
}

export function countBytes(amount: number): string {
  return `${amount} ${amount === 1 ? "byte" : "bytes"}`;
}

function spell(spanMs: number): string {
  for (const [unit, ms] of [["days", 86_400_000] as const, ["hours", 3_600_000] as const, ["minutes", 60_000] as const]) {
    if (spanMs % ms === 0) return `${spanMs / ms} ${spanMs === ms ? unit.slice(0, -1) : unit}`;
  }
  return `${spanMs / 1000} seconds`;
}

function nameOf(relPath: string): string {
  return relPath.slice(relPath.lastIndexOf("/") + 1);
}
