import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { TerminalFailure } from "../domain/failure.ts";
import { snapshotPath } from "./store.ts";

/** Bytes read at once. */
const pieceBytes = 1024 * 1024;

/** What a file holds: its SHA-256, hex, and its size. `onPiece` gets each piece before the next is read. */
export async function readContent(
  path: string,
  signal?: AbortSignal,
  onPiece?: (piece: Uint8Array) => Promise<unknown>,
): Promise<{ readonly hash: string; readonly sizeBytes: number }> {
  // Neither is a link followed, nor does a pipe hold us up.
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(pieceBytes);
  let sizeBytes = 0;
  for (;;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, pieceBytes);
    if (bytesRead === 0) return { hash: hash.digest("hex"), sizeBytes };
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    sizeBytes += bytesRead;
    await onPiece?.(piece);
  }
}

/** A copy that doesn't hold what it was made of. Its words name what to do. */
export function corruptCopy(folder: string, contentHash: string): TerminalFailure {
  return new TerminalFailure({
    code: "SNAPSHOT_CORRUPT",
    message: `the copy of content ${contentHash} is damaged: ${snapshotPath(folder, contentHash)} holds other bytes`,
    hint: "Restore that file from a backup, or: casparian snapshots --repair, which copies it anew from a file that still has it or gives it up; then retry",
    data: { contentHash },
  });
}
