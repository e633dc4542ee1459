import type { ArrowMessage } from "../domain/arrow.ts";

/** What the metadata of a message says; `columns` only for a schema. */
export interface ParsedMessage {
  readonly message: ArrowMessage;
  readonly columns: readonly string[];
}

/** Why bytes are not a message; the sender has broken the protocol. */
export class MalformedMessage extends Error {}

const headBytes = 8;
const continuation = 0xffffffff;
/** Of the union MessageHeader in Arrow's Message.fbs. */
const kinds: Readonly<Record<number, ArrowMessage["kind"]>> = { 1: "schema", 2: "dictionary", 3: "batch" };

/**
 * Reads kind, rows and column names from a message's own metadata, so that nothing has to be believed of whoever sent it, and checks that
 * the lengths in it are those of the bytes. The body is not looked at. Throws MalformedMessage.
 * Source: Arrow's columnar format, "Encapsulated message format", and format/Message.fbs, Schema.fbs.
 */
export function parseMessage(bytes: Uint8Array): ParsedMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < headBytes || view.getUint32(0, true) !== continuation)
    throw new MalformedMessage("it does not begin as a message");
  const metadataBytes = view.getInt32(4, true);
  if (metadataBytes <= 0 || headBytes + metadataBytes > bytes.byteLength) throw new MalformedMessage("its metadata is longer than it");
  try {
    return readMetadata(bytes, new DataView(bytes.buffer, bytes.byteOffset + headBytes, metadataBytes));
  } catch (error) {
    if (error instanceof RangeError) throw new MalformedMessage("its metadata points outside of it");
    throw error;
  }
}

function readMetadata(bytes: Uint8Array, view: DataView): ParsedMessage {
  const root = view.getUint32(0, true);
  const bodyAt = fieldAt(view, root, 3);
  const bodyBytes = bodyAt === undefined ? 0n : view.getBigInt64(bodyAt, true);
  if (bodyBytes !== BigInt(bytes.byteLength - headBytes - view.byteLength))
    throw new MalformedMessage("its body has not the length it says");
  const kindAt = fieldAt(view, root, 1);
  const kind = kindAt === undefined ? undefined : kinds[view.getUint8(kindAt)];
  const headerAt = fieldAt(view, root, 2);
  if (kind === undefined || headerAt === undefined) throw new MalformedMessage("it is neither schema nor dictionary nor batch");
  const header = follow(view, headerAt);
  const rows = kind === "batch" ? readRows(view, header) : 0;
  return { message: { kind, rows, bytes }, columns: kind === "schema" ? readColumns(view, header) : [] };
}

function readRows(view: DataView, batch: number): number {
  const at = fieldAt(view, batch, 0);
  const rows = at === undefined ? 0n : view.getBigInt64(at, true);
  if (rows < 0n || rows > BigInt(Number.MAX_SAFE_INTEGER)) throw new MalformedMessage(`it says that it has ${rows} rows`);
  return Number(rows);
}

function readColumns(view: DataView, schema: number): readonly string[] {
  const fieldsAt = fieldAt(view, schema, 1);
  if (fieldsAt === undefined) return [];
  const vector = follow(view, fieldsAt);
  const count = view.getUint32(vector, true);
  if (count * 4 > view.byteLength) throw new MalformedMessage(`it says that it has ${count} columns`);
  return Array.from({ length: count }, (_, index) => {
    const nameAt = fieldAt(view, follow(view, vector + 4 + index * 4), 0);
    return nameAt === undefined ? "" : readText(view, follow(view, nameAt));
  });
}

function readText(view: DataView, at: number): string {
  const length = view.getUint32(at, true);
  if (at + 4 + length > view.byteLength) throw new MalformedMessage("a column's name is longer than the message");
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 4, length));
}

/** Where a table's field lies, or undefined if it has its default. A table begins with the distance back to its vtable. */
function fieldAt(view: DataView, table: number, field: number): number | undefined {
  const vtable = table - view.getInt32(table, true);
  const entry = 4 + field * 2;
  if (entry + 2 > view.getUint16(vtable, true)) return undefined;
  const offset = view.getUint16(vtable + entry, true);
  return offset === 0 ? undefined : table + offset;
}

function follow(view: DataView, at: number): number {
  return at + view.getUint32(at, true);
}
