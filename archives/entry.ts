import type { MemberRefusal } from "../domain/member-name.ts";

/** One thing in an archive, in the archive's order. Folders are left out. */
export interface ArchiveEntry {
  /** Below the archive; where it is refused, a form of it to be shown. */
  readonly name: string;
  /** Why it can't be taken, though the archive can. */
  readonly refusal: MemberRefusal | null;
  /** Nanoseconds since 1970; null where the archive doesn't tell. */
  readonly mtimeNs: bigint | null;
  /**
   * Its unpacked bytes, once, before the next entry is asked for; an entry whose bytes are not asked for is skipped. Throws
   * ArchiveRefused where they are not what the archive says (length, checksum) or pass a limit.
   */
  bytes(): AsyncIterable<Uint8Array>;
}

/** The archive as a whole can't be taken: corrupt, truncated, no archive at all, or beyond a limit. The message is one sentence. */
export class ArchiveRefused extends Error {}

/** What a failure while reading an archive means: the file system's own failures are passed on, all others are about its content. */
export function asRefusal(error: unknown): Error {
  if (error instanceof ArchiveRefused) return error;
  if (!(error instanceof Error)) return new Error(String(error));
  return "syscall" in error ? error : new ArchiveRefused(`it is corrupt: ${error.message}`, { cause: error });
}
