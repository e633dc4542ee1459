import { openAsBlob } from "node:fs";
import { headerKind, openMessage } from "../arrow/message.ts";
import { createRowSample } from "../arrow/row-sample.ts";
import type { ArrowMessage } from "../domain/arrow.ts";
import { messageOf } from "../domain/failure.ts";

/** A file that says itself what columns it has. */
export interface ColumnarContent {
  readonly kind: "parquet" | "arrow";
  /** Null where only reading all of it would tell. */
  readonly rows: number | null;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly first: readonly (readonly (string | null)[])[];
  readonly notices: readonly string[];
}

export async function readParquet(path: string, rowsShown: number): Promise<ColumnarContent> {
  try {
    // Only for such files, because it is large.
    const { ParquetFile } = await import("parquet-wasm/node");
    const file = await ParquetFile.fromFile(await openAsBlob(path));
    const rows = file.metadata().fileMetadata().numRows();
    const stream = (await file.read({ limit: Math.max(1, rowsShown) })).intoIPCStream();
    return { kind: "parquet", rows, ...readStream(stream, 0, rowsShown) };
  } catch (error) {
    return unreadable("parquet", error);
  }
}

/** `ARROW1`, padding, and then the same messages as in a stream. */
export function readArrowFile(bytes: Buffer, rowsShown: number): ColumnarContent {
  try {
    return { kind: "arrow", rows: null, ...readStream(bytes, 8, rowsShown) };
  } catch (error) {
    return unreadable("arrow", error);
  }
}

function unreadable(kind: ColumnarContent["kind"], error: unknown): ColumnarContent {
  return { kind, rows: null, columns: [], first: [], notices: [`it can't be read: ${messageOf(error)}`] };
}

function readStream(bytes: Uint8Array, begin: number, rowsShown: number): Pick<ColumnarContent, "columns" | "first" | "notices"> {
  const sample = createRowSample(messageAt(bytes, begin), rowsShown);
  const notices: string[] = [];
  try {
    let at = begin + lengthAt(bytes, begin);
    while (sample.rows() < rowsShown && at + 8 <= bytes.length && !isEnd(bytes, at)) {
      sample.take(messageAt(bytes, at));
      at += lengthAt(bytes, at);
    }
  } catch (error) {
    notices.push(`its first rows can't be shown: ${messageOf(error)}`);
  }
  const columns = sample.columns().map(({ name, type }) => ({ name, type }));
  return { columns, first: sample.first(), notices };
}

function isEnd(bytes: Uint8Array, at: number): boolean {
  return new DataView(bytes.buffer, bytes.byteOffset + at, 8).getInt32(4, true) === 0;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  const { end } = openMessage(bytes, at);
  return Math.ceil(end / 8) * 8 - at;
}

function messageAt(bytes: Uint8Array, at: number): ArrowMessage {
  const kind = ({ 1: "schema", 2: "dictionary", 3: "batch" } as const)[headerKind(bytes, at)] ?? "schema";
  // Its own memory, because numbers are read in place at multiples of 8.
  return { kind, rows: 0, bytes: new Uint8Array(bytes.subarray(at, at + lengthAt(bytes, at))) };
}
