import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ArchiveEntry } from "./entry.ts";
import { ArchiveRefused } from "./entry.ts";
import { openArchive } from "./open.ts";

export interface MemberContent {
  /** SHA-256, hex. */
  readonly hash: string;
  readonly sizeBytes: number;
}

export interface MemberOfArchive {
  /** Of the archive, or of a copy of it. */
  readonly path: string;
  /** The archive's own name, which says how it is packed. */
  readonly archiveName: string;
  readonly name: string;
  readonly bytesMax: number;
}

/**
 * Copies the bytes of one member to a new file, which only its owner can read, with their hash. Null where the archive has no such
 * member, or none that can be read. At most `bytesMax` are written: a longer member is refused.
 *
 * Throws ArchiveRefused, the file system's failures and the signal's reason; what was written so far is then left to the caller.
 */
export async function copyMember(
  { path, archiveName, name, bytesMax }: MemberOfArchive,
  destination: string,
  signal: AbortSignal,
): Promise<MemberContent | null> {
  await using archive = await openArchive(path, { name: archiveName });
  for await (const entry of archive.entries) {
    signal.throwIfAborted();
    if (entry.refusal === null && entry.name === name) return await copy(entry, destination, bytesMax, signal);
  }
  return null;
}

async function copy(entry: ArchiveEntry, destination: string, bytesMax: number, signal: AbortSignal): Promise<MemberContent> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const file = await open(destination, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o400);
  await pipeline(
    Readable.from(measured(), { objectMode: false }),
    // Closes the file at its end.
    file.createWriteStream(),
    { signal },
  );
  return { hash: hash.digest("hex"), sizeBytes };

  async function* measured(): AsyncGenerator<Uint8Array> {
    for await (const piece of entry.bytes()) {
      sizeBytes += piece.length;
      if (sizeBytes > bytesMax) throw new ArchiveRefused(`member ${entry.name} has more than ${bytesMax} bytes`);
      hash.update(piece);
      yield piece;
    }
  }
}
