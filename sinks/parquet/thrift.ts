/**
 * Thrift's compact protocol, in which Parquet writes its footers and page headers, as trees of tagged values. What nobody
 * asks for is not taken apart: it stays raw bytes and is written as it was read, so footers of thousands of columns stay cheap.
 * Source: Apache Thrift, doc/specs/thrift-compact-protocol.md. Sets and maps are left out: Parquet has none.
 */
export type ThriftValue =
  | { readonly type: "bool"; readonly value: boolean }
  /** 64-bit numbers are counts and offsets, and never beyond 2^53. */
  | { readonly type: "i8" | "i16" | "i32" | "i64" | "double"; readonly value: number }
  | { readonly type: "binary"; readonly value: Uint8Array }
  | { readonly type: "list"; readonly of: WireType; readonly items: readonly ThriftValue[] }
  | { readonly type: "struct"; readonly fields: ThriftStruct }
  | { readonly type: "raw"; readonly of: WireType; readonly value: Uint8Array };

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

/** Which fields to take apart, by id, and for structs and lists of structs which of theirs; all others stay raw. */
export interface Shape {
  readonly [id: number]: Shape;
}

export function decodeStruct(cursor: ThriftCursor, shape: Shape): Map<number, ThriftValue> {
  const fields = new Map<number, ThriftValue>();
  visitStruct(cursor, (id, type) => fields.set(id, decodeValue(cursor, type, shape[id])));
  return fields;
}

/** Calls `onField` at each field's value, which it must consume. */
export function visitStruct(cursor: ThriftCursor, onField: (id: number, type: WireType) => void): void {
  for (let id = 0; ;) {
    const head = byte(cursor);
    if (head === 0) return;
    const delta = head >> 4;
    id = delta === 0 ? unzigzag(varint(cursor)) : id + delta;
    onField(id, head & 0x0f);
  }
}

/** Calls `onItem` at each element, which it must consume. */
export function visitList(cursor: ThriftCursor, onItem: (type: WireType) => void): void {
  const head = byte(cursor);
  const short = head >> 4;
  const length = short === 15 ? varint(cursor) : short;
  for (let index = 0; index < length; index++) onItem(head & 0x0f);
}

/** Takes a value apart as far as `shape` goes; raw without one. */
export function decodeValue(cursor: ThriftCursor, type: WireType, shape: Shape | undefined): ThriftValue {
  if (type === wire.true || type === wire.false) return { type: "bool", value: type === wire.true };
  if (shape === undefined) {
    const from = cursor.at;
    skip(cursor, type);
    return { type: "raw", of: type, value: cursor.bytes.subarray(from, cursor.at) };
  }
  switch (type) {
    case wire.i8:
      return { type: "i8", value: (byte(cursor) << 24) >> 24 };
    case wire.i16:
      return { type: "i16", value: unzigzag(varint(cursor)) };
    case wire.i32:
      return { type: "i32", value: unzigzag(varint(cursor)) };
    case wire.i64:
      return { type: "i64", value: unzigzag(varint(cursor)) };
    case wire.double:
      return { type: "double", value: doubleAt(take(cursor, 8)) };
    case wire.binary:
      return { type: "binary", value: take(cursor, varint(cursor)) };
    case wire.list: {
      const of = (cursor.bytes[cursor.at] ?? 0) & 0x0f;
      const items: ThriftValue[] = [];
      visitList(cursor, () => items.push(decodeItem(cursor, of, shape)));
      return { type: "list", of, items };
    }
    case wire.struct:
      return { type: "struct", fields: decodeStruct(cursor, shape) };
    default:
      throw unknownType(type, cursor);
  }
}

/** Moves behind a value. */
export function skip(cursor: ThriftCursor, type: WireType): void {
  switch (type) {
    case wire.true:
    case wire.false:
      return;
    case wire.i8:
      take(cursor, 1);
      return;
    case wire.i16:
    case wire.i32:
    case wire.i64:
      while (byte(cursor) >= 0x80);
      return;
    case wire.double:
      take(cursor, 8);
      return;
    case wire.binary:
      take(cursor, varint(cursor));
      return;
    case wire.list:
      return visitList(cursor, (of) => (isBool(of) ? byte(cursor) : skip(cursor, of)));
    case wire.struct:
      return visitStruct(cursor, (_, of) => skip(cursor, of));
    default:
      throw unknownType(type, cursor);
  }
}

export function encodeStruct(fields: ThriftStruct): Uint8Array {
  const out: Output = { bytes: new Uint8Array(256), length: 0 };
  putStruct(out, fields);
  return out.bytes.slice(0, out.length);
}

/** Shorthands for the values that are written most. */
export const i32 = (value: number): ThriftValue => ({ type: "i32", value });
export const i64 = (value: number): ThriftValue => ({ type: "i64", value });
export const bool = (value: boolean): ThriftValue => ({ type: "bool", value });
export const binary = (value: Uint8Array | string): ThriftValue => ({
  type: "binary",
  value: typeof value === "string" ? Buffer.from(value, "utf8") : value,
});
/** Fields in the order of their ids. */
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
  for (const [id, value] of fields) {
    const type = wireTypeOf(value);
    const delta = id - last;
    // Readers accept ids in any order, but a long form costs more bytes.
    const isShort = delta > 0 && delta <= 15;
    putByte(out, isShort ? (delta << 4) | type : type);
    if (!isShort) putVarint(out, zigzag(id));
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
    case "i64":
      return putVarint(out, zigzag(value.value));
    case "double":
      return putBytes(out, new Uint8Array(Float64Array.of(value.value).buffer));
    case "binary":
      putVarint(out, value.value.length);
      return putBytes(out, value.value);
    case "list":
      putByte(out, (Math.min(value.items.length, 15) << 4) | value.of);
      if (value.items.length >= 15) putVarint(out, value.items.length);
      for (const item of value.items) putValue(out, item);
      return;
    case "struct":
      return putStruct(out, value.fields);
    case "raw":
      return putBytes(out, value.value);
  }
}

function wireTypeOf(value: ThriftValue): WireType {
  if (value.type === "bool") return value.value ? wire.true : wire.false;
  return value.type === "raw" ? value.of : wire[value.type];
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

/** By arithmetic, because bit operations end at 32 bits and BigInts are some ten times slower. */
function putVarint(out: Output, value: number): void {
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) putByte(out, (rest % 0x80) | 0x80);
  putByte(out, rest);
}

function reserve(out: Output, bytes: number): void {
  if (out.length + bytes <= out.bytes.length) return;
  const grown = new Uint8Array(2 * (out.length + bytes));
  grown.set(out.bytes);
  out.bytes = grown;
}

function decodeItem(cursor: ThriftCursor, of: WireType, shape: Shape): ThriftValue {
  return isBool(of) ? { type: "bool", value: byte(cursor) === 1 } : decodeValue(cursor, of, shape);
}

function isBool(type: WireType): boolean {
  return type === wire.true || type === wire.false;
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

function varint(cursor: ThriftCursor): number {
  let result = 0;
  for (let scale = 1; ; scale *= 0x80) {
    const value = byte(cursor);
    result += (value & 0x7f) * scale;
    if (value < 0x80) return checked(result);
  }
}

function checked(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Error(`the number ${value} is beyond any count or offset`);
  return value;
}

function zigzag(value: number): number {
  return checked(value >= 0 ? 2 * value : -2 * value - 1);
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

function unknownType(type: WireType, cursor: ThriftCursor): Error {
  return new Error(`Thrift type ${type} at byte ${cursor.at} is none that Parquet uses`);
}
