import { isUtf8 } from "node:buffer";
import type { Column } from "../../arrow/column.ts";
import { rangeReader } from "../../arrow/scalar.ts";
import { jsonReader } from "../../arrow/text.ts";
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
  const isText = isUtf8Within(column);
  return (row, at) => {
    if (!isText) throw new ValueRefused("a text within the column is not UTF-8");
    const text = json(row);
    const length = Buffer.byteLength(text);
    out.reserve(at, 5 + length);
    out.view.setInt32(at, length + 1);
    out.view.setUint8(at + 4, 1);
    out.bytes.write(text, at + 5, length, "utf8");
    return at + 5 + length;
  };
}

/** Reading them as JavaScript strings would change bytes that are no text without a word. */
function isUtf8Within({ field, buffers, children, dictionary }: Column): boolean {
  if (dictionary !== null) return dictionary.every(isUtf8Within);
  const { kind } = field.type;
  if (kind === "string" || kind === "large_string" || kind === "string_view") return buffers.slice(1).every((bytes) => isUtf8(bytes));
  return children.every(isUtf8Within);
}
