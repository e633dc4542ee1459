import type { Column } from "../../arrow/column.ts";
import { rangeReader } from "../../arrow/scalar.ts";
import { jsonReader } from "../../arrow/text.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { ValueRefused, type CopyBuffer, type WriteValue } from "./copy-buffer.ts";
import { sqlTypeOf } from "./sql-type.ts";

/** A list as an array of one dimension, which is without dimensions where it is empty. Source: src/backend/utils/adt/arrayfuncs.c, array_recv. */
export function writeList(column: Column, out: CopyBuffer, writeItem: WriteValue): WriteValue {
  const range = rangeReader(column);
  const { oid } = sqlTypeOf(column.children[0]!.field);
  return (row, at) => {
    const [from, to] = range(row);
    out.reserve(at, 24);
    const { view } = out;
    view.setInt32(at + 4, to > from ? 1 : 0);
    view.setInt32(at + 8, 1);
    view.setInt32(at + 12, oid);
    let end = at + 16;
    if (to > from) {
      view.setInt32(at + 16, to - from);
      view.setInt32(at + 20, 1);
      end = at + 24;
    }
    for (let item = from; item < to; item += 1) {
      out.reserve(end, 0);
      end = writeItem(item, end);
    }
    out.reserve(end, 0);
    out.view.setInt32(at, end - at - 4);
    return end;
  };
}

/** A nested value as jsonb: its version, then its text. Source: src/backend/utils/adt/jsonb.c, jsonb_recv. */
export function writeJson(column: Column, out: CopyBuffer): WriteValue {
  const json = jsonReader(column);
  return (row, at) => {
    const text = asText(json, row);
    const length = Buffer.byteLength(text);
    out.reserve(at, 5 + length);
    out.view.setInt32(at, length + 1);
    out.view.setUint8(at + 4, 1);
    out.bytes.write(text, at + 5, length, "utf8");
    return at + 5 + length;
  };
}

function asText(json: (row: number) => string, row: number): string {
  try {
    return json(row);
  } catch (error) {
    if (!(error instanceof TerminalFailure && error.code === "SINK_VALUE")) throw error;
    throw new ValueRefused("a text within the column is not UTF-8");
  }
}
