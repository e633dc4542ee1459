import type { Readable } from "node:stream";
import { pipeline } from "node:stream";
import { createGunzip, type Gunzip } from "node:zlib";
import { asRefusal, type ArchiveEntry } from "./entry.ts";
import type { Meter } from "./meter.ts";

/** Bytes. */
const pieceBytes = 256 * 1024;

/** The one member of a gzip file, which has the file's own name without `.gz`; what the header calls it may be anything. */
export async function* readGzip(packed: Readable, name: string, meter: Meter): AsyncGenerator<ArchiveEntry> {
  meter.entry();
  yield { name, refusal: null, mtimeNs: null, bytes: () => meter.member(unpack(packed, meter)) };
}

/** Unpacks, with checksum and length checked at the end, as zlib does. */
export function gunzip(packed: Readable): Gunzip {
  // Its callback hears of what the reader of the result is told as well.
  return pipeline(packed, createGunzip({ chunkSize: pieceBytes }), () => {});
}

async function* unpack(packed: Readable, meter: Meter): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of gunzip(packed)) {
      meter.unpacked((piece as Buffer).length);
      yield piece as Buffer;
    }
  } catch (error) {
    throw asRefusal(error);
  }
}
