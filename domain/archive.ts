/** How the members of an archive are packed. */
export type ArchiveKind = "zip" | "gzip" | "tar.gz";

/** By the file's name: what it holds is found out when it is opened. Null for what is no archive that we open. `archiveName` is its SQL. */
export function archiveKindOf(relPath: string): ArchiveKind | null {
  if (!/[^/]\.(zip|gz|tgz)$/i.test(relPath)) return null;
  if (/\.zip$/i.test(relPath)) return "zip";
  return /\.(tar\.gz|tgz)$/i.test(relPath) ? "tar.gz" : "gzip";
}

/** A regular expression of Postgres for the same names, letter case aside. */
export const archiveName = String.raw`[^/]\.(zip|gz|tgz)$`;

/** The path of a member below the source's root. */
export function memberPath(archivePath: string, memberName: string): string {
  return `${archivePath}!/${memberName}`;
}

/** The other way round, for the path of a member of that archive. */
export function memberNameOf(archivePath: string, path: string): string {
  return path.slice(archivePath.length + 2);
}

/** A folder of the file system with such a name would hold paths that read like an archive's members. */
export function looksLikeInside(folder: string): boolean {
  return folder.endsWith("!") && archiveKindOf(folder.slice(0, -1)) !== null;
}

/** What an archive may come to. An archive beyond is refused as a whole, before or while it is read. */
export interface ArchiveLimits {
  /** Folders and what is not taken included. */
  readonly membersMax: number;
  readonly memberBytesMax: number;
  /** Unpacked, all together. */
  readonly bytesMax: number;
  /** Unpacked bytes for each byte of the archive; looked at beyond `ratioFreeBytes`, because small files of zeros are no attack. */
  readonly ratioMax: number;
  readonly ratioFreeBytes: number;
}

const gib = 1024 ** 3;

/** Logs and sparse CSV pack to a fiftieth; deflate itself ends at a thousandth. */
export const archiveLimits: ArchiveLimits = {
  membersMax: 100_000,
  memberBytesMax: 64 * gib,
  bytesMax: 256 * gib,
  ratioMax: 200,
  ratioFreeBytes: 64 * 1024 ** 2,
};
