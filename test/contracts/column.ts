import type { Column } from "../../arrow/column.ts";
import { parseType, plainField } from "../../contracts/type-name.ts";

/** A column of texts, for what is then cast to other types. */
export function textColumn(values: readonly (string | null)[], type = "string"): Column {
  const field = plainField("c", parseType(type)!, true);
  const data = Buffer.concat(values.map((value) => Buffer.from(value ?? "")));
  const offsets = new Int32Array(values.length + 1);
  for (const [row, value] of values.entries()) offsets[row + 1] = offsets[row]! + Buffer.byteLength(value ?? "");
  const buffers = [new Uint8Array(offsets.buffer), new Uint8Array(data)];
  return { field, length: values.length, validity: bitsOf(values), buffers, children: [], dictionary: null };
}

/** A column of 64-bit numbers of a type that is stored as such. */
export function longColumn(values: readonly (bigint | null)[], type: string): Column {
  const words = BigUint64Array.from(values, (value) => BigInt.asUintN(64, value ?? 0n));
  const field = plainField("c", parseType(type)!, true);
  return {
    field,
    length: values.length,
    validity: bitsOf(values),
    buffers: [new Uint8Array(words.buffer)],
    children: [],
    dictionary: null,
  };
}

function bitsOf(values: readonly unknown[]): Uint8Array {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (const [row, value] of values.entries()) if (value !== null) bits[row >> 3]! |= 1 << (row & 7);
  return bits;
}
