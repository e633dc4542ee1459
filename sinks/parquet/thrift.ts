/**
 * Thrift's compact protocol, in which Parquet writes its footers and page headers, as trees of tagged values.
 * Source: Apache Thrift, doc/specs/thrift-compact-protocol.md. Sets and maps are left out: Parquet has none.
 */
export type ThriftValue =
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "i8" | "i16" | "i32" | "double"; readonly value: number }
  | { readonly type: "i64"; readonly value: bigint }
  | { readonly type: "binary"; readonly value: Uint8Array }
  | { readonly type: "list"; readonly of: WireType; readonly items: readonly ThriftValue[] }
  | { readonly type: "struct"; readonly fields: ThriftStruct }
  /** A struct that has been encoded already. */
  | { readonly type: "encoded"; readonly value: Uint8Array };

/** Fields by id. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;

/** The protocol's type codes; as list elements both booleans are code 1 or 2 and one byte each. */
export type WireType = number;
export const wire = { true: 1, false: 2, i8: 3, i16: 4, i32: 5, i64: 6, double: 7, binary: 8, list: 9, struct: 12 } as const;

/** Where reading goes on. */
export interface ThriftCursor {
  readonly bytes: Uint8Array;
  at: number;
}

export function decodeStruct(cursor: ThriftCursor): Map<number, ThriftValue> {
  const fields = new Map<number, ThriftValue>();
  visitStruct(cursor, (id, type) => fields.set(id, decodeValue(cursor, type)));
  return fields;
}

/** Calls `onField` at each field's value, which it must consume. */
export function visitStruct(cursor: ThriftCursor, onField: (id: number, type: WireType) => void): void {
  for (let id = 0; ;) {
    const head = byte(cursor);
    if (head === 0) return;
    const delta = head >> 4;
    id = delta === 0 ? Number(unzigzag(varint(cursor))) : id + delta;
    onField(id, head & 0x0f);
  }
}

/** Calls `onItem` at each element, which it must consume. */
export function visitList(cursor: ThriftCursor, onItem: (type: WireType, index: number) => void): void {
  const head = byte(cursor);
  const short = head >> 4;
  const length = short === 15 ? Number(varint(cursor)) : short;
  for (let index = 0; index < length; index++) onItem(head & 0x0f, index);
}

export function decodeValue(cursor: ThriftCursor, type: WireType, inList = false): ThriftValue {
  switch (type) {
    case wire.true:
    case wire.false:
      return { type: "bool", value: inList ? byte(cursor) === 1 : type === wire.true };
    case wire.i8:
      return { type: "i8", value: (byte(cursor) << 24) >> 24 };
    case wire.i16:
      return { type: "i16", value: Number(unzigzag(varint(cursor))) };
    case wire.i32:
      return { type: "i32", value: Number(unzigzag(varint(cursor))) };
    case wire.i64:
      return { type: "i64", value: unzigzag(varint(cursor)) };
    case wire.double:
      return { type: "double", value: doubleAt(take(cursor, 8)) };
    case wire.binary:
      return { type: "binary", value: take(cursor, Number(varint(cursor))) };
    case wire.list: {
      const of = (cursor.bytes[cursor.at] ?? 0) & 0x0f;
      const items: ThriftValue[] = [];
      visitList(cursor, (itemType) => items.push(decodeValue(cursor, itemType, true)));
      return { type: "list", of, items };
    }
    case wire.struct:
      return { type: "struct", fields: decodeStruct(cursor) };
    default:
      throw new Error(`Thrift type ${type} at byte ${cursor.at} is none that Parquet uses`);
  }
}

export function encodeStruct(fields: ThriftStruct): Uint8Array {
  const out: Output = { bytes: new Uint8Array(256), length: 0 };
  putStruct(out, fields);
  return out.bytes.slice(0, out.length);
}

/** Shorthands for the values that are written most. */
export const i32 = (value: number): ThriftValue => ({ type: "i32", value });
export const i64 = (value: number | bigint): ThriftValue => ({ type: "i64", value: BigInt(value) });
export const bool = (value: boolean): ThriftValue => ({ type: "bool", value });
export const binary = (value: Uint8Array | string): ThriftValue => ({
  type: "binary",
  value: typeof value === "string" ? Buffer.from(value, "utf8") : value,
});
export const struct = (...fields: readonly (readonly [number, ThriftValue])[]): ThriftValue => ({
  type: "struct",
  fields: new Map(fields),
});
export const list = (of: WireType, items: readonly ThriftValue[]): ThriftValue => ({ type: "list", of, items });

interface Output {
  bytes: Uint8Array;
  length: number;
}

function putStruct(out: Output, fields: ThriftStruct): void {
  let last = 0;
  for (const [id, value] of [...fields].toSorted(([a], [b]) => a - b)) {
    const type = wireTypeOf(value);
    const delta = id - last;
    putByte(out, delta > 15 ? type : (delta << 4) | type);
    if (delta > 15) putVarint(out, zigzag(BigInt(id)));
    if (value.type !== "bool") putValue(out, value);
    last = id;
  }
  putByte(out, 0);
}

function putValue(out: Output, value: ThriftValue): void {
  switch (value.type) {
    case "bool":
      return putByte(out, value.value ? 1 : 2);
    case "i8":
      return putByte(out, value.value & 0xff);
    case "i16":
    case "i32":
      return putVarint(out, zigzag(BigInt(value.value)));
    case "i64":
      return putVarint(out, zigzag(value.value));
    case "double":
      return putBytes(out, new Uint8Array(Float64Array.of(value.value).buffer));
    case "binary":
      putVarint(out, BigInt(value.value.length));
      return putBytes(out, value.value);
    case "list":
      putByte(out, (Math.min(value.items.length, 15) << 4) | value.of);
      if (value.items.length >= 15) putVarint(out, BigInt(value.items.length));
      for (const item of value.items) putValue(out, item);
      return;
    case "struct":
      return putStruct(out, value.fields);
    case "encoded":
      return putBytes(out, value.value);
  }
}

function wireTypeOf(value: ThriftValue): WireType {
  if (value.type === "bool") return value.value ? wire.true : wire.false;
  return value.type === "encoded" ? wire.struct : wire[value.type];
}

function putByte(out: Output, value: number): void {
  reserve(out, 1);
  out.bytes[out.length++] = value;
}

function putBytes(out: Output, bytes: Uint8Array): void {
  reserve(out, bytes.length);
  out.bytes.set(bytes, out.length);
  out.length += bytes.length;
}

function putVarint(out: Output, value: bigint): void {
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) putByte(out, Number(rest & 0x7fn) | 0x80);
  putByte(out, Number(rest));
}

function reserve(out: Output, bytes: number): void {
  if (out.length + bytes <= out.bytes.length) return;
  const grown = new Uint8Array(2 * (out.length + bytes));
  grown.set(out.bytes);
  out.bytes = grown;
}

function byte(cursor: ThriftCursor): number {
  const value = cursor.bytes[cursor.at++];
  if (value === undefined) throw new Error("Thrift data ends too early");
  return value;
}

function take(cursor: ThriftCursor, length: number): Uint8Array {
  const end = cursor.at + length;
  if (end > cursor.bytes.length) throw new Error("Thrift data ends too early");
  const bytes = cursor.bytes.subarray(cursor.at, end);
  cursor.at = end;
  return bytes;
}

function doubleAt(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
}

/** As a BigInt only where a number could not hold it: footers have thousands of small values. */
function varint(cursor: ThriftCursor): bigint {
  let low = 0;
  for (let shift = 0; shift < 49; shift += 7) {
    const value = byte(cursor);
    low += (value & 0x7f) * 2 ** shift;
    if (value < 0x80) return BigInt(low);
  }
  let wide = BigInt(low);
  for (let shift = 49n; ; shift += 7n) {
    const value = byte(cursor);
    wide |= BigInt(value & 0x7f) << shift;
    if (value < 0x80) return wide;
  }
}

function zigzag(value: bigint): bigint {
  return BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
}

function unzigzag(value: bigint): bigint {
  return (value >> 1n) ^ -(value & 1n);
}
