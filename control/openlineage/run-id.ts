import { createHash } from "node:crypto";

/**
 * The UUID of a run: the same for the same moment and data, whoever asks and however often. In the form of version 7 of RFC 9562, with the first bits of
 * a SHA-1 in place of the random ones, as `generate_static_uuid` of OpenLineage's Python client makes them, so that ids sort by time.
 */
export function staticUuid(instant: Date, data: string): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(instant.getTime(), 0, 6);
  createHash("sha1").update(instant.toISOString()).update(data).digest().copy(bytes, 6, 0, 10);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
