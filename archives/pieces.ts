import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";

/** Bytes. */
const pieceBytes = 256 * 1024;

/** A stream of an open file's bytes from `start` to before `end`, which leaves the file open whatever becomes of it; Node's own doesn't. */
export function streamPieces(file: FileHandle, start = 0, end = Infinity): Readable {
  return Readable.from(pieces(file, start, end), { objectMode: false, highWaterMark: 1 });
}

async function* pieces(file: FileHandle, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let position = start; position < end;) {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(Math.min(pieceBytes, end - position)), position });
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}
