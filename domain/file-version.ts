/** What the file system says of a file without reading it; two equal ones are taken for the same content. */
export interface FileStat {
  readonly sizeBytes: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Nanoseconds since 1970; changes with the content and the inode's other attributes, and no program can set it. */
  readonly ctimeNs: bigint;
  readonly inode: bigint;
}

/** One immutable content of one file, as it was when it was hashed. Never updated. */
export interface FileVersion {
  readonly id: string;
  readonly locationId: string;
  readonly sourceId: string;
  readonly sourceName: string;
  /** The source's root folder, absolute. */
  readonly sourcePath: string;
  /** The file's path below the root, with `/`. */
  readonly relPath: string;
  /** Counts from 1 at each location. */
  readonly sequence: number;
  /** SHA-256 of the content, 64 lower-case hex digits. */
  readonly contentHash: string;
  readonly stat: FileStat;
  readonly detectedAt: Date;
  /** Of a member: the archive that it lies in; null for a file. */
  readonly archive: ArchiveOfMember | null;
}

export interface ArchiveOfMember {
  /** Below the source's root. */
  readonly relPath: string;
  /** How large it was last. */
  readonly sizeBytes: number;
}

export function sameStat(a: FileStat, b: FileStat): boolean {
  return a.sizeBytes === b.sizeBytes && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.inode === b.inode;
}
