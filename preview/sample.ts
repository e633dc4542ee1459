import { open, stat } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { errorCode, isGone } from "../domain/system-error.ts";

/** The beginning of a file, or all of it. */
export interface Sample {
  readonly bytes: Buffer;
  /** Of the whole content; null where that is known only by reading on, as in an archive. */
  readonly sizeBytes: number | null;
  readonly isWhole: boolean;
}

/** Reads at most so many bytes of a file. Throws WrongUse where there is nothing that can be read. */
export async function readSample(path: string, bytesMax: number): Promise<Sample> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw new WrongUse(`${path} is a folder`, "Give the path of a file");
    if (!stats.isFile()) throw new WrongUse(`${path} is no ordinary file`, "Give the path of a file");
    await using file = await open(path);
    const bytes = Buffer.alloc(Math.min(bytesMax, stats.size));
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return { bytes: bytes.subarray(0, filled), sizeBytes: stats.size, isWhole: filled === stats.size };
  } catch (error) {
    if (error instanceof WrongUse) throw error;
    if (isGone(error)) throw new WrongUse(`there is no file ${path}`);
    if (errorCode(error) === "EACCES") throw new WrongUse(`${path} can't be read: you have no right to`);
    throw new WrongUse(`${path} can't be read: ${messageOf(error)}`);
  }
}

/** The beginning of what a gzip sample holds, and what is wrong with it where it breaks off. */
export async function unzipSample(sample: Sample, bytesMax: number): Promise<Sample & { readonly damage: string | null }> {
  const gunzip = createGunzip();
  gunzip.end(sample.bytes);
  const read = await gather(gunzip, bytesMax);
  // A sample that is cut off ends in the middle; only a whole file is damaged by that.
  const damage = sample.isWhole ? read.error : null;
  return { bytes: read.bytes, sizeBytes: null, isWhole: sample.isWhole && read.isWhole && read.error === null, damage };
}

/** Reads a stream to its end or to so many bytes. */
export async function gather(
  stream: AsyncIterable<Buffer>,
  bytesMax: number,
): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean; readonly error: string | null }> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of stream) {
      pieces.push(piece);
      size += piece.length;
      if (size > bytesMax) break;
    }
  } catch (error) {
    return { bytes: Buffer.concat(pieces).subarray(0, bytesMax), isWhole: false, error: messageOf(error) };
  }
  return { bytes: Buffer.concat(pieces).subarray(0, bytesMax), isWhole: size <= bytesMax, error: null };
}
