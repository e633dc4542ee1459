import { open } from "node:fs/promises";
import type { S3Objects, UploadedPart } from "./objects.ts";

const partBytesMin = 16 * 1024 ** 2;
/** The service takes 10,000. */
const partsMax = 9_000;
/** With the parts' size this is what an upload holds in memory. */
const partsAtOnce = 4;

/** Sends a local file as the parts of an upload that has begun; nothing is visible until it is completed. */
export async function uploadParts(
  objects: S3Objects,
  {
    key,
    uploadId,
    path,
    sizeBytes,
  }: { readonly key: string; readonly uploadId: string; readonly path: string; readonly sizeBytes: number },
): Promise<readonly UploadedPart[]> {
  const partBytes = Math.max(partBytesMin, Math.ceil(sizeBytes / partsMax));
  const count = Math.max(1, Math.ceil(sizeBytes / partBytes));
  const parts: UploadedPart[] = [];
  await using file = await open(path, "r");
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const body = Buffer.allocUnsafe(Math.min(partBytes, sizeBytes - index * partBytes));
      const { bytesRead } = await file.read(body, 0, body.length, index * partBytes);
      if (bytesRead !== body.length) throw new Error(`${path} has fewer than ${sizeBytes} bytes`);
      parts[index] = await objects.uploadPart(key, uploadId, index + 1, body);
    }
  };
  await Promise.all(Array.from({ length: Math.min(partsAtOnce, count) }, lane));
  return parts;
}
