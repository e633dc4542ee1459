import type { TextBuffer } from "./text-buffer.ts";

const zero = 0x30;
const minus = 0x2d;
const point = 0x2e;

/** Decimal digits of a safe integer. */
export function putInteger(out: TextBuffer, value: number): void {
  out.reserve(20);
  let rest = value;
  if (rest < 0) {
    out.bytes[out.at++] = minus;
    rest = -rest;
  }
  if (rest < 1e9) return putDigits(out, rest, digitsOf(rest));
  // Integer division is fast below 2^31 only.
  const high = Math.floor(rest / 1e9);
  putInteger(out, high);
  putDigits(out, rest - high * 1e9, 9);
}

/** The last so many decimal digits of a number below 2^31, with leading zeros. */
export function putDigits(out: TextBuffer, value: number, digits: number): void {
  out.reserve(digits);
  let rest = value | 0;
  for (let index = out.at + digits - 1; index >= out.at; index -= 1) {
    const next = (rest / 10) | 0;
    out.bytes[index] = zero + rest - 10 * next;
    rest = next;
  }
  out.at += digits;
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits += 1;
  return digits;
}

/** The 64-bit integer at a place of a buffer that is read as halves of 32 bits, without a BigInt where it is a safe integer. */
export function putInteger64(out: TextBuffer, halves: Int32Array, row: number, signed: boolean): void {
  const value = safeInteger(halves, row, signed);
  if (Number.isNaN(value)) out.putAscii(String(bigInteger(halves, row, signed)));
  else putInteger(out, value);
}

/** NaN where it is none. */
export function safeInteger(halves: Int32Array, row: number, signed: boolean): number {
  const low = halves[2 * row]! >>> 0;
  const high = signed ? halves[2 * row + 1]! : halves[2 * row + 1]! >>> 0;
  return high >= -0x20_0000 && high < 0x20_0000 ? high * 0x1_0000_0000 + low : NaN;
}

/** How many times `unit`, at most 10^9, goes into a 64-bit integer, rounded down, and what is left. */
export interface Quotient {
  whole: number;
  rest: number;
}

/** By long division where the integer is not a safe one, which is some ten times faster than BigInts. */
export function divide64(halves: Int32Array, row: number, unit: number, quotient: Quotient): void {
  const value = safeInteger(halves, row, true);
  if (!Number.isNaN(value)) {
    quotient.whole = Math.floor(value / unit);
    quotient.rest = value - quotient.whole * unit;
    return;
  }
  const low = halves[2 * row]!;
  const high = halves[2 * row + 1]!;
  const first = Math.floor(high / unit);
  const second = (high - first * unit) * 0x1_0000 + (low >>> 16);
  const middle = Math.floor(second / unit);
  const third = (second - middle * unit) * 0x1_0000 + (low & 0xffff);
  const last = Math.floor(third / unit);
  quotient.whole = (first * 0x1_0000 + middle) * 0x1_0000 + last;
  quotient.rest = third - last * unit;
}

function bigInteger(halves: Int32Array, row: number, signed: boolean): bigint {
  const high = BigInt(halves[2 * row + 1]!);
  const value = (BigInt.asUintN(32, high) << 32n) | BigInt(halves[2 * row]! >>> 0);
  return signed ? BigInt.asIntN(64, value) : value;
}

/**
 * The shortest digits that give the number again, as JavaScript writes them. Most numbers in tables have a few digits after the point:
 * where n / 10^4 gives the number, and n has at most 15 digits, n's digits are those, because a double keeps 15 digits apart.
 */
export function putFloat(out: TextBuffer, value: number): void {
  const scaled = Math.round(value * 1e4);
  if (scaled / 1e4 !== value || scaled > 1e15 || scaled < -1e15 || Object.is(value, -0)) {
    out.putAscii(Object.is(value, -0) ? "-0" : String(value));
    return;
  }
  let rest = scaled;
  out.reserve(1);
  if (rest < 0) {
    out.bytes[out.at++] = minus;
    rest = -rest;
  }
  const whole = Math.floor(rest / 1e4);
  putInteger(out, whole);
  let fraction = rest - whole * 1e4;
  if (fraction === 0) return;
  let digits = 4;
  for (; fraction % 10 === 0; fraction /= 10) digits -= 1;
  out.putByte(point);
  putDigits(out, fraction, digits);
}
