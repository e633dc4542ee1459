import { messageOf, TerminalFailure } from "../domain/failure.ts";
import { rootTable, scalarIn, slotAt, tableIn, vectorIn } from "./flatbuffer.ts";
import type { FlatTable } from "./flatbuffer.ts";

/** Arrow's MetadataVersion V5, of every release since 1.0. */
export const messageVersion = 4;

/** Closes a stream of encapsulated messages. */
export const endOfStream: Uint8Array = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/** An encapsulated message, taken apart. Source: Apache Arrow format/Message.fbs. */
export interface ArrowParts {
  /** The header's table: a Schema, DictionaryBatch or RecordBatch. */
  readonly header: FlatTable;
  /** Where the body begins in `bytes`, and where the message ends. */
  readonly bodyAt: number;
  readonly end: number;
}

/** Takes apart the message at `from`. */
export function openMessage(bytes: Uint8Array, from = 0): ArrowParts {
  const view = new DataView(bytes.buffer, bytes.byteOffset + from, bytes.byteLength - from);
  const metadataBytes = view.getInt32(4, true);
  const message = rootTable(bytes.subarray(from + 8, from + 8 + metadataBytes));
  const header = tableIn(message, 2);
  if (header === undefined) throw new Error("an Arrow message without a header");
  const bodyAt = from + 8 + metadataBytes;
  return { header, bodyAt, end: bodyAt + Number(scalarIn(message, 3, "i64", 0)) };
}

/** Runs `read` over what a plugin has sent; whatever stumbles over it becomes TerminalFailure SINK_SCHEMA. */
export function readingArrow<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TerminalFailure) throw error;
    throw new TerminalFailure({ code: "SINK_SCHEMA", message: `${what} is no valid Arrow message: ${messageOf(error)}`, cause: error });
  }
}

/** Whether a message is a schema (1), a dictionary (2) or a batch (3). */
export function headerKind(bytes: Uint8Array, from = 0): number {
  return Number(scalarIn(rootTable(bytes.subarray(from + 8)), 1, "u8", 0));
}

/** Which dictionary a dictionary message fills, and whether it adds to what is there. */
export function dictionaryOf(header: FlatTable): { readonly id: number; readonly isDelta: boolean; readonly batch: FlatTable } {
  const batch = tableIn(header, 1);
  if (batch === undefined) throw new Error("an Arrow dictionary message without values");
  return { id: Number(scalarIn(header, 0, "i64", 0)), isDelta: scalarIn(header, 2, "bool", false) === true, batch };
}

/** The node lengths and buffer ranges of a record batch, in the order of a walk over its fields, parents first. */
export interface BatchLayout {
  readonly rows: number;
  readonly nodes: readonly { readonly rows: number; readonly nulls: number }[];
  readonly buffers: readonly { readonly at: number; readonly bytes: number }[];
  /** How many data buffers each view column has. */
  readonly variadicCounts: readonly number[];
  readonly compressed: boolean;
}

export function batchLayout(batch: FlatTable): BatchLayout {
  const nodes = pairsIn(batch, 1);
  const buffers = pairsIn(batch, 2);
  const counts = vectorIn(batch, 4);
  return {
    rows: Number(scalarIn(batch, 0, "i64", 0)),
    nodes: nodes.map(([rows, nulls]) => ({ rows, nulls })),
    buffers: buffers.map(([at, bytes]) => ({ at, bytes })),
    variadicCounts: Array.from({ length: counts?.length ?? 0 }, (_, index) => int64At(batch.view, (counts?.at ?? 0) + 8 * index)),
    compressed: slotAt(batch, 3) !== 0,
  };
}

/** Puts prefix and padding around a message's metadata; for messages without body. */
export function encapsulate(metadata: Uint8Array): Uint8Array {
  const padded = Math.ceil(metadata.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xffff_ffff, true);
  view.setInt32(4, padded, true);
  bytes.set(metadata, 8);
  return bytes;
}

/** A vector of structs of two 64-bit numbers. */
function pairsIn(table: FlatTable, slot: number): readonly [number, number][] {
  const vector = vectorIn(table, slot);
  return Array.from({ length: vector?.length ?? 0 }, (_, index) => {
    const at = (vector?.at ?? 0) + 16 * index;
    return [int64At(table.view, at), int64At(table.view, at + 8)];
  });
}

function int64At(view: DataView, at: number): number {
  return Number(view.getBigInt64(at, true));
}
