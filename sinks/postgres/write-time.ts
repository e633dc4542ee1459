import type { Column } from "../../arrow/column.ts";
import { integersOf, wholeNumbers } from "../../arrow/scalar.ts";
import { dateUnits } from "../../arrow/type.ts";
import { ValueRefused, type CopyBuffer, type WriteValue } from "./copy-buffer.ts";

/**
 * Postgres counts days and microseconds from 2000 on. A count of 64 bits is handled as two halves, so that nothing is rounded and nothing
 * becomes a BigInt. Sources: src/include/datatype/timestamp.h, src/backend/utils/adt/{date,timestamp}.c.
 */
const epochDays = 10_957;
const epochMicros = 946_684_800_000_000;
/** 4713 BC to 5874897 AD, and to 294276 AD for timestamps; the bounds themselves mean infinity. */
const [daysMin, daysEnd] = [-2_451_545, 2_145_031_949];
const [microsMin, microsEnd] = [-211_813_488_000_000_000n, 9_223_371_331_200_000_000n];
const dayMicros = 86_400_000_000;

const half = 2 ** 32;
/** The result of the last calculation: high half, signed, and low half, unsigned. */
let high = 0;
let low = 0;

/** Times, timestamps and durations. */
export function writeMicros({ field: { type }, buffers }: Column, out: CopyBuffer): WriteValue {
  const unit = type.kind === "time" || type.kind === "timestamp" || type.kind === "duration" ? type.unit : 0;
  const is32Bits = type.kind === "time" && type.bits === 32;
  const words = wholeNumbers(buffers[0]!, 32, true) as Int32Array;
  const read = is32Bits
    ? (row: number): void => toMicros(words[row]! < 0 ? -1 : 0, words[row]! >>> 0, unit)
    : (row: number): void => toMicros(words[2 * row + 1]!, words[2 * row]! >>> 0, unit);
  if (type.kind === "time")
    return (row, at) => {
      read(row);
      if (high < 0 || high * half + low >= dayMicros) throw new ValueRefused("it is no time of a day");
      return writeHalves(out, at, 8);
    };
  if (type.kind === "timestamp")
    return (row, at) => {
      read(row);
      fromEpoch();
      return writeHalves(out, at, 8);
    };
  return (row, at) => {
    read(row);
    const end = writeHalves(out, at, 16);
    out.view.setInt32(end, 0);
    out.view.setInt32(end + 4, 0);
    return end + 8;
  };
}

/** A date that is counted in milliseconds must be a whole day. */
export function writeDate(column: Column, out: CopyBuffer): WriteValue {
  const { type } = column.field;
  const values = integersOf(column);
  const isDays = type.kind === "date" && type.unit === dateUnits.day;
  return (row, at) => {
    const days = (isDays ? (values[row] as number) : Number(values[row]) / 86_400_000) - epochDays;
    if (!Number.isInteger(days)) throw new ValueRefused("it is no whole day, which a date64 must be");
    if (days < daysMin || days >= daysEnd) throw new ValueRefused("a date in Postgres lies between 4713 BC and 5874897 AD");
    out.view.setInt32(at, 4);
    out.view.setInt32(at + 4, days);
    return at + 8;
  };
}

/** Months; days and milliseconds; or months, days and nanoseconds. */
export function writeInterval({ field: { type }, buffers }: Column, out: CopyBuffer): WriteValue {
  const unit = type.kind === "interval" ? type.unit : 0;
  const words = wholeNumbers(buffers[0]!, 32, true) as Int32Array;
  return (row, at) => {
    const from = row * [1, 2, 4][unit]!;
    const months = unit === 1 ? 0 : words[from]!;
    const days = unit === 0 ? 0 : words[from + unit - 1]!;
    if (unit === 0) toMicros(0, 0, 2);
    else if (unit === 1) toMicros(words[from + 1]! < 0 ? -1 : 0, words[from + 1]! >>> 0, 1);
    else toMicros(words[from + 3]!, words[from + 2]! >>> 0, 3);
    const end = writeHalves(out, at, 16);
    out.view.setInt32(end, days);
    out.view.setInt32(end + 4, months);
    return end + 8;
  };
}

function writeHalves({ view }: CopyBuffer, at: number, bytes: number): number {
  view.setInt32(at, bytes);
  view.setInt32(at + 4, high);
  view.setUint32(at + 8, low);
  return at + 12;
}

/** Seconds, milliseconds, microseconds or nanoseconds, by Arrow's number. */
function toMicros(valueHigh: number, valueLow: number, unit: number): void {
  if (unit === 2) {
    high = valueHigh;
    low = valueLow;
  } else if (unit === 3) {
    // Both quotients and rests are far below 2^53, so they are exact.
    high = Math.floor(valueHigh / 1000);
    const rest = (valueHigh - high * 1000) * half + valueLow;
    low = Math.floor(rest / 1000);
    if (rest !== low * 1000) throw new ValueRefused("it has nanoseconds, and Postgres counts microseconds");
  } else {
    const factor = unit === 0 ? 1_000_000 : 1000;
    const product = valueLow * factor;
    const carry = Math.floor(product / half);
    low = product - carry * half;
    high = valueHigh * factor + carry;
    if (high < -(2 ** 31) || high >= 2 ** 31) throw new ValueRefused("it is more than Postgres can count in microseconds");
  }
}

const [epochHigh, epochLow] = [Math.floor(epochMicros / half), epochMicros % half];
const [minHigh, minLow] = halvesOf(microsMin);
const [endHigh, endLow] = halvesOf(microsEnd);

function fromEpoch(): void {
  high -= epochHigh;
  low -= epochLow;
  if (low < 0) {
    low += half;
    high -= 1;
  }
  const isBefore = high < minHigh || (high === minHigh && low < minLow);
  const isAfter = high > endHigh || (high === endHigh && low >= endLow);
  if (isBefore || isAfter) throw new ValueRefused("a timestamp in Postgres lies between 4713 BC and 294276 AD");
}

function halvesOf(value: bigint): readonly [high: number, low: number] {
  return [Number(value >> 32n), Number(value & 0xffff_ffffn)];
}
