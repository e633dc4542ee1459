import { isValid, widthOf, type Column } from "./column.ts";

/** The whole numbers of a column: of its values, or of the places in its dictionary. 64-bit ones are BigInts. */
export type WholeNumbers = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array | BigUint64Array;

/** A view of a buffer as numbers of so many bits; a rest is left out. The buffer begins at a multiple of 8. */
export function wholeNumbers(buffer: Uint8Array, bits: number, signed: boolean): WholeNumbers {
  const view = numberViews[`${signed ? "i" : "u"}${bits}` as keyof typeof numberViews];
  return new view(buffer.buffer as ArrayBuffer, buffer.byteOffset, Math.floor((buffer.length * 8) / bits));
}

const numberViews = {
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
} as const;

/** The values of a column of integers, dates, times, timestamps or durations, or the places of one with a dictionary. */
export function integersOf({ field, buffers }: Column): WholeNumbers {
  const { type, dictionary } = field;
  if (dictionary !== undefined) return wholeNumbers(buffers[0]!, dictionary.index.bits, dictionary.index.signed);
  return wholeNumbers(buffers[0]!, widthOf(field) * 8, type.kind !== "int" || type.signed);
}

/** The values of a column of floating-point numbers; those of 16 bits are widened, which is exact. */
export function floatsOf({ field: { type }, buffers, length }: Column): Float32Array | Float64Array {
  const [buffer] = buffers as [Uint8Array];
  const precision = type.kind === "float" ? type.precision : 2;
  if (precision === 2) return new Float64Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, length);
  if (precision === 1) return new Float32Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, length);
  const halves = wholeNumbers(buffer, 16, false) as Uint16Array;
  return Float32Array.from({ length }, (_, row) => halfFloat(halves[row]!));
}

function halfFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export function booleanAt({ buffers }: Column, row: number): boolean {
  return ((buffers[0]![row >> 3]! >> (row & 7)) & 1) === 1;
}

/** The unscaled value of a decimal. */
export function decimalAt(column: Column, row: number): bigint {
  const [buffer] = column.buffers as [Uint8Array];
  const bytes = widthOf(column.field);
  if (bytes === 4) return BigInt((wholeNumbers(buffer, 32, true) as Int32Array)[row]!);
  const words = bytes / 8;
  const view = new DataView(buffer.buffer, buffer.byteOffset + row * bytes, bytes);
  let value = view.getBigInt64(8 * (words - 1), true);
  for (let word = words - 2; word >= 0; word -= 1) value = (value << 64n) | view.getBigUint64(8 * word, true);
  return value;
}

/** How the bytes of each value of a string or binary column are found, whatever its layout; those bytes are views. */
export function bytesReader(column: Column): (row: number) => Uint8Array {
  const { field, buffers } = column;
  const { type } = field;
  const [first, data] = buffers as [Uint8Array, Uint8Array];
  switch (type.kind) {
    case "string":
    case "binary": {
      const offsets = wholeNumbers(first, 32, true) as Int32Array;
      return (row) => partOf(field.name, data, offsets[row]!, offsets[row + 1]!);
    }
    case "large_string":
    case "large_binary": {
      const offsets = wholeNumbers(first, 64, true) as BigInt64Array;
      return (row) => partOf(field.name, data, Number(offsets[row]), Number(offsets[row + 1]));
    }
    case "fixed_size_binary": {
      const { width } = type;
      return (row) => first.subarray(row * width, (row + 1) * width);
    }
    default:
      return viewReader(column);
  }
}

/** Up to twelve bytes lie in the view itself; longer values lie in one of the buffers behind it. */
function viewReader({ field, buffers }: Column): (row: number) => Uint8Array {
  const [views, ...data] = buffers as [Uint8Array, ...Uint8Array[]];
  const numbers = new DataView(views.buffer, views.byteOffset, views.length);
  return (row) => {
    const at = 16 * row;
    const length = numbers.getInt32(at, true);
    if (length <= 12) return partOf(field.name, views, at + 4, at + 4 + length);
    const from = numbers.getInt32(at + 12, true);
    return partOf(field.name, data[numbers.getInt32(at + 8, true)], from, from + length);
  };
}

/** Offsets are whatever a plugin sent. `subarray` would take those that are wrong for others. */
function partOf(column: string, data: Uint8Array | undefined, from: number, to: number): Uint8Array {
  if (data === undefined || from < 0 || to < from || to > data.length)
    throw new RangeError(`column "${column}" has a value outside of its message`);
  return data.subarray(from, to);
}

/** Where the values of each list or map begin and end in the column below it. */
export function rangeReader({ field, buffers, children }: Column): (row: number) => readonly [from: number, to: number] {
  const { type } = field;
  const max = children[0]?.length ?? 0;
  const within = (from: number, to: number): readonly [number, number] => {
    if (from < 0 || to < from || to > max) throw new RangeError(`column "${field.name}" has a list outside of its values`);
    return [from, to];
  };
  if (type.kind === "fixed_size_list") return (row) => within(row * type.size, (row + 1) * type.size);
  const [first, second] = buffers as [Uint8Array, Uint8Array];
  const bits = type.kind.startsWith("large") ? 64 : 32;
  const offsets = wholeNumbers(first, bits, true);
  if (!type.kind.endsWith("_view")) return (row) => within(Number(offsets[row]), Number(offsets[row + 1]));
  const sizes = wholeNumbers(second, bits, true);
  return (row) => within(Number(offsets[row]), Number(offsets[row]) + Number(sizes[row]));
}

/** Where a dictionary-encoded value lies: in which piece of the dictionary, at which row of it; null where the dictionary's own value is null. */
export function dictionaryReader(column: Column): (row: number) => { readonly values: Column; readonly row: number } | null {
  const places = integersOf(column);
  const pieces = column.dictionary ?? [];
  return (row) => {
    let place = Number(places[row]);
    for (const values of pieces) {
      if (place < values.length) return isValid(values, place) ? { values, row: place } : null;
      place -= values.length;
    }
    throw new RangeError(`column "${column.field.name}" points outside of its dictionary`);
  };
}
