import type { Column } from "../../arrow/column.ts";
import { wholeNumbers } from "../../arrow/scalar.ts";
import { widthOf } from "../../arrow/column.ts";
import type { CopyBuffer, WriteValue } from "./copy-buffer.ts";

const half = 2 ** 32;
/** Postgres keeps groups of four decimal digits. Source: src/backend/utils/adt/numeric.c, numeric_recv. */
const groupSize = 10_000;
const negativeSign = 0x4000;

/** Decimals of all widths, and unsigned integers of 64 bits, by dividing their 32-bit words: exact for any number of digits. */
export function writeDecimal(column: Column, out: CopyBuffer, scale: number): WriteValue {
  const words = widthOf(column.field) / 4;
  const source = wholeNumbers(column.buffers[0]!, 32, false) as Uint32Array;
  const isSigned = column.field.type.kind === "decimal";
  // Groups are counted from the decimal point, so the last one is filled up with zeros.
  const fill = scale > 0 ? (4 - (scale % 4)) % 4 : -scale;
  const value = new Float64Array(words + 1 + Math.ceil(fill / 9));
  const groups = new Uint16Array(4 + Math.ceil((words * 10 + fill) / 4));
  const fractionGroups = Math.ceil(Math.max(scale, 0) / 4);
  return (row, at) => {
    const isNegative = isSigned && source[(row + 1) * words - 1]! >= 2 ** 31;
    readAbsolute(value, source, { from: row * words, words, isNegative });
    for (let zeros = fill; zeros > 0; zeros -= 4) multiply(value, 10 ** Math.min(zeros, 4));
    const count = split(value, groups);
    return writeGroups(out, at, { groups, count, fractionGroups, sign: isNegative ? negativeSign : 0, scale: Math.max(scale, 0) });
  };
}

function readAbsolute(
  value: Float64Array,
  source: Uint32Array,
  { from, words, isNegative }: { readonly from: number; readonly words: number; readonly isNegative: boolean },
): void {
  value.fill(0, words);
  let carry = 1;
  for (let word = 0; word < words; word += 1) {
    const given = source[from + word]!;
    const turned = isNegative ? half - 1 - given + carry : given;
    carry = turned >= half ? 1 : 0;
    value[word] = isNegative && carry === 1 ? 0 : turned;
  }
}

function multiply(value: Float64Array, factor: number): void {
  let carry = 0;
  for (let word = 0; word < value.length; word += 1) {
    const product = value[word]! * factor + carry;
    carry = Math.floor(product / half);
    value[word] = product - carry * half;
  }
}

/** Leaves the value's groups, the last first, and returns how many there are without leading zeros. */
function split(value: Float64Array, groups: Uint16Array): number {
  let top = value.length;
  let count = 0;
  for (;;) {
    while (top > 0 && value[top - 1] === 0) top -= 1;
    if (top === 0) return count;
    let rest = 0;
    for (let word = top - 1; word >= 0; word -= 1) {
      const dividend = rest * half + value[word]!;
      const quotient = Math.floor(dividend / groupSize);
      rest = dividend - quotient * groupSize;
      value[word] = quotient;
    }
    groups[count++] = rest;
  }
}

interface Groups {
  readonly groups: Uint16Array;
  readonly count: number;
  readonly fractionGroups: number;
  readonly sign: number;
  readonly scale: number;
}

function writeGroups(out: CopyBuffer, at: number, { groups, count, fractionGroups, sign, scale }: Groups): number {
  let last = 0;
  while (last < count && groups[last] === 0) last += 1;
  const digits = count - last;
  out.reserve(at, 12 + 2 * digits);
  const { view } = out;
  view.setInt32(at, 8 + 2 * digits);
  view.setInt16(at + 4, digits);
  view.setInt16(at + 6, digits === 0 ? 0 : count - fractionGroups - 1);
  view.setUint16(at + 8, digits === 0 ? 0 : sign);
  view.setInt16(at + 10, scale);
  for (let group = 0; group < digits; group += 1) view.setInt16(at + 12 + 2 * group, groups[count - 1 - group]!);
  return at + 12 + 2 * digits;
}
