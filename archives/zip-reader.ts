import { fstatSync, readSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import type { Readable } from "node:stream";
import { RandomAccessReader } from "yauzl";
import { streamPieces } from "./pieces.ts";

/** Bytes. The directory's records are small and lie one after the other. */
const windowBytes = 64 * 1024;

/** Reads an open file for yauzl: small pieces out of a window, because a read of its own for each costs a tenth of a millisecond. */
export class ZipReader extends RandomAccessReader {
  readonly #file: FileHandle;
  readonly sizeBytes: number;
  readonly #window = Buffer.allocUnsafe(windowBytes);
  #start = 0;
  #end = 0;

  constructor(file: FileHandle) {
    super();
    this.#file = file;
    this.sizeBytes = fstatSync(file.fd).size;
  }

  override read(buffer: Buffer, offset: number, length: number, position: number, callback: (error: Error | null) => void): void {
    try {
      this.readExactly(length, position).copy(buffer, offset);
      queueMicrotask(() => callback(null));
    } catch (error) {
      queueMicrotask(() => callback(error as Error));
    }
  }

  /** So many bytes, valid until the next call. Throws where the file ends before. */
  readExactly(length: number, position: number): Buffer {
    if (position + length > this.sizeBytes) throw new Error("unexpected end of file");
    if (length > windowBytes) return this.#fill(Buffer.allocUnsafe(length), position);
    if (position < this.#start || position + length > this.#end) {
      this.#end = 0;
      this.#fill(this.#window.subarray(0, Math.min(windowBytes, this.sizeBytes - position)), position);
      this.#start = position;
      this.#end = Math.min(position + windowBytes, this.sizeBytes);
    }
    return this.#window.subarray(position - this.#start, position - this.#start + length);
  }

  #fill(buffer: Buffer, position: number): Buffer {
    for (let filled = 0; filled < buffer.length;) {
      const count = readSync(this.#file.fd, buffer, filled, buffer.length - filled, position + filled);
      if (count === 0) throw new Error("unexpected end of file");
      filled += count;
    }
    return buffer;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return streamPieces(this.#file, start, end);
  }
}
