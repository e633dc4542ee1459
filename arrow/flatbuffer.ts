/**
 * The part of FlatBuffers that Arrow's schema and message tables need: reading a table's fields by slot, and laying a tree
 * of tables out again. Offsets to children point forward only, so a table is written before its children and patched.
 * Source: FlatBuffers internals, https://flatbuffers.dev/internals.
 */

/** A table inside a buffer. */
export interface FlatTable {
  readonly view: DataView;
  readonly at: number;
}

export type ScalarKind = "bool" | "i16" | "i32" | "i64" | "u8";

/** What a table that is to be written holds, by slot; a slot that is left out reads as its default. */
export type FlatFields = ReadonlyMap<number, FlatValue>;

export type FlatValue =
  | { readonly kind: ScalarKind; readonly value: number | bigint | boolean }
  | { readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly kind: "table"; readonly value: FlatFields }
  | { readonly kind: "tables"; readonly value: readonly FlatFields[] }
  | { readonly kind: "i64s"; readonly value: readonly number[] }
  /** Structs of two 64-bit numbers each. */
  | { readonly kind: "pairs"; readonly value: readonly (readonly [number, number])[] };

/** The root table of a buffer without size prefix. */
export function rootTable(bytes: Uint8Array): FlatTable {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { view, at: view.getUint32(0, true) };
}

/** The position of a field's inline value, or 0 where the table has none. */
export function slotAt({ view, at }: FlatTable, slot: number): number {
  const vtable = at - view.getInt32(at, true);
  const entry = 4 + 2 * slot;
  const offset = entry < view.getUint16(vtable, true) ? view.getUint16(vtable + entry, true) : 0;
  return offset === 0 ? 0 : at + offset;
}

/** A scalar field as a number or boolean; 64-bit values must be safe integers. */
export function scalarIn(table: FlatTable, slot: number, kind: ScalarKind, fallback: number | boolean): number | boolean {
  const at = slotAt(table, slot);
  if (at === 0) return fallback;
  const { view } = table;
  switch (kind) {
    case "bool":
      return view.getUint8(at) !== 0;
    case "u8":
      return view.getUint8(at);
    case "i16":
      return view.getInt16(at, true);
    case "i32":
      return view.getInt32(at, true);
    case "i64":
      return Number(view.getBigInt64(at, true));
  }
}

/** A string or byte vector field, as a view. */
export function bytesIn(table: FlatTable, slot: number): Uint8Array | undefined {
  const vector = vectorIn(table, slot);
  return vector && new Uint8Array(table.view.buffer, table.view.byteOffset + vector.at, vector.length);
}

export function tableIn(table: FlatTable, slot: number): FlatTable | undefined {
  const at = slotAt(table, slot);
  return at === 0 ? undefined : follow(table.view, at);
}

export function tablesIn(table: FlatTable, slot: number): readonly FlatTable[] {
  const vector = vectorIn(table, slot);
  return Array.from({ length: vector?.length ?? 0 }, (_, index) => follow(table.view, (vector?.at ?? 0) + 4 * index));
}

/** Where a vector's elements begin, and how many there are. */
export function vectorIn(table: FlatTable, slot: number): { readonly at: number; readonly length: number } | undefined {
  const field = slotAt(table, slot);
  if (field === 0) return undefined;
  const { at } = follow(table.view, field);
  const length = table.view.getUint32(at, true);
  // Every element has a byte at least, so a wrong length is found before it costs memory.
  if (length > table.view.byteLength - at) throw new RangeError(`a vector of ${length} elements reaches beyond its message`);
  return { at: at + 4, length };
}

function follow(view: DataView, at: number): FlatTable {
  return { view, at: at + view.getUint32(at, true) };
}

/** Lays a tree of tables out as one buffer. */
export function encodeFlat(root: FlatFields): Uint8Array {
  const out: Output = { view: new DataView(new ArrayBuffer(1024)), length: 0 };
  claim(out, 4, 4);
  placeTable(out, 0, root);
  return new Uint8Array(out.view.buffer, 0, out.length);
}

interface Output {
  view: DataView<ArrayBuffer>;
  length: number;
}

const inlineBytes = { bool: 1, u8: 1, i16: 2, i32: 4, i64: 8, bytes: 4, table: 4, tables: 4, i64s: 4, pairs: 4 } as const;

/** Writes vtable, table and then the children, and points `from` at the table. */
function placeTable(out: Output, from: number, fields: FlatFields): void {
  const slots = Math.max(-1, ...fields.keys()) + 1;
  const vtable = claim(out, 4 + 2 * slots, 2);
  const layout = inlineLayout(fields);
  const at = claim(out, layout.bytes, 8);
  out.view.setUint16(vtable, 4 + 2 * slots, true);
  out.view.setUint16(vtable + 2, layout.bytes, true);
  out.view.setInt32(at, at - vtable, true);
  out.view.setUint32(from, at - from, true);
  for (const [slot, offset] of layout.offsets) out.view.setUint16(vtable + 4 + 2 * slot, offset, true);
  for (const [slot, value] of fields) placeValue(out, at + (layout.offsets.get(slot) ?? 0), value);
}

/** Offsets of the inline values, each aligned to its size; the first 4 bytes point to the vtable. */
function inlineLayout(fields: FlatFields): { readonly bytes: number; readonly offsets: ReadonlyMap<number, number> } {
  const offsets = new Map<number, number>();
  let bytes = 4;
  for (const [slot, { kind }] of fields) {
    const size = inlineBytes[kind];
    bytes = Math.ceil(bytes / size) * size;
    offsets.set(slot, bytes);
    bytes += size;
  }
  return { bytes, offsets };
}

function placeValue(out: Output, at: number, field: FlatValue): void {
  switch (field.kind) {
    case "bool":
    case "u8":
      return out.view.setUint8(at, Number(field.value));
    case "i16":
      return out.view.setInt16(at, Number(field.value), true);
    case "i32":
      return out.view.setInt32(at, Number(field.value), true);
    case "i64":
      return out.view.setBigInt64(at, BigInt(field.value), true);
    case "table":
      return placeTable(out, at, field.value);
    case "bytes": {
      // One zero byte more than its length says, as FlatBuffers strings end.
      const vector = placeVector(out, at, field.value.length, field.value.length + 1);
      new Uint8Array(out.view.buffer).set(field.value, vector);
      return;
    }
    case "tables": {
      const vector = placeVector(out, at, field.value.length, 4 * field.value.length);
      for (const [index, table] of field.value.entries()) placeTable(out, vector + 4 * index, table);
      return;
    }
    case "i64s":
      return placeNumbers(out, at, field.value.length, field.value);
    case "pairs":
      return placeNumbers(out, at, field.value.length, field.value.flat());
  }
}

function placeVector(out: Output, from: number, length: number, bytes: number): number {
  const at = claim(out, 4 + bytes, 4);
  out.view.setUint32(at, length, true);
  out.view.setUint32(from, at - from, true);
  return at + 4;
}

/** 64-bit numbers lie at multiples of 8, so their length lies four bytes before one. */
function placeNumbers(out: Output, from: number, length: number, numbers: readonly number[]): void {
  claim(out, (12 - (out.length % 8)) % 8, 1);
  const vector = placeVector(out, from, length, 8 * numbers.length);
  for (const [index, value] of numbers.entries()) out.view.setBigInt64(vector + 8 * index, BigInt(value), true);
}

function claim(out: Output, bytes: number, alignment: number): number {
  const at = Math.ceil(out.length / alignment) * alignment;
  out.length = at + bytes;
  if (out.length > out.view.byteLength) {
    const grown = new ArrayBuffer(2 * out.length);
    new Uint8Array(grown).set(new Uint8Array(out.view.buffer));
    out.view = new DataView(grown);
  }
  return at;
}
