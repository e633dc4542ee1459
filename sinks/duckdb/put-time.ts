import type { Column } from "../../arrow/column.ts";
import { integersOf, wholeNumbers } from "../../arrow/scalar.ts";
import type { ArrowType } from "../../arrow/type.ts";
import type { FixedCells } from "./cells.ts";
import { isInDays } from "./sql-type.ts";
import { ValueRefused } from "./value-refused.ts";

type Put = (row: number, at: number) => void;

const half = 2 ** 32;
/** Of a second, by Arrow's number of the unit. */
const unitsPerSecond = [1n, 1000n, 1_000_000n, 1_000_000_000n] as const;

/** What DuckDB can show; the largest and smallest numbers beyond stand for infinities. Source: DuckDB 1.5, `make_timestamp`, tried. */
const microsFirst = -9_223_372_022_400_000_000n;
const microsLast = 2n ** 63n - 2n;
const nanosFirst = -9_223_286_400_000_000_000n;
const daysLast = 2 ** 31 - 2;
const dayMicros = 86_400_000_000n;

/** Days; a date that is counted in milliseconds must be a whole day. */
export function putDate(column: Column, cells: FixedCells): Put {
  const values = integersOf(column);
  const inDays = isInDays(column.field);
  return (row, at) => {
    const days = inDays ? (values[row] as number) : Number(values[row]) / 86_400_000;
    if (!Number.isInteger(days)) throw new ValueRefused("it is no whole day, which a date64 must be");
    if (Math.abs(days) > daysLast) throw new ValueRefused("a DATE lies between 5877642 BC and 5881580 AD");
    cells.words[at] = days;
  };
}

/** Times of the day, and timestamps: the same number where the unit is the same, and microseconds otherwise. */
export function putTime(column: Column, cells: FixedCells): Put {
  const { type } = column.field;
  if (type.kind !== "time" && type.kind !== "timestamp") throw new Error("no time");
  const { convert, first, last, range } = ruleOf(type);
  const checked = (at: number, value: bigint): void => {
    const converted = convert === null ? value : toMicros(value, convert);
    if (converted < first || converted > last) throw new ValueRefused(range);
    cells.view.setBigInt64(8 * at, converted, true);
  };
  const values = integersOf(column);
  if (convert !== null || type.kind === "time") return (row, at) => checked(at, BigInt(values[row]!));
  // What is far from both ends needs no BigInt.
  const words = wholeNumbers(column.buffers[0]!, 32, true) as Int32Array;
  const [low, high] = [Number(first / BigInt(half)) + 1, Number(last / BigInt(half)) - 1];
  return (row, at) => {
    const upper = words[2 * row + 1]!;
    if (upper <= low || upper >= high) return checked(at, values[row] as bigint);
    cells.words[2 * at] = words[2 * row]!;
    cells.words[2 * at + 1] = upper;
  };
}

interface TimeRule {
  /** The unit that is made microseconds; null where the number stays. */
  readonly convert: number | null;
  readonly first: bigint;
  readonly last: bigint;
  readonly range: string;
}

const timestampRange = "a timestamp in DuckDB lies between 290309 BC and 294247 AD";

function ruleOf(type: Extract<ArrowType, { kind: "time" | "timestamp" }>): TimeRule {
  const { unit } = type;
  if (type.kind === "time") {
    const last = unit === 3 ? dayMicros * 1000n - 1n : dayMicros - 1n;
    return { convert: unit === 3 ? null : unit, first: 0n, last, range: "it is no time of a day" };
  }
  if (type.zone !== undefined && unit !== 2) return { convert: unit, first: microsFirst, last: microsLast, range: timestampRange };
  if (unit === 3)
    return { convert: null, first: nanosFirst, last: microsLast, range: "a TIMESTAMP_NS lies between 1677-09-22 and 2262-04-11" };
  const micros = 1_000_000n / unitsPerSecond[unit as 0 | 1 | 2];
  return { convert: null, first: microsFirst / micros, last: microsLast / micros, range: timestampRange };
}

function toMicros(value: bigint, unit: number): bigint {
  if (unit < 3) return value * (1_000_000n / unitsPerSecond[unit as 0 | 1 | 2]);
  if (value % 1000n !== 0n) throw new ValueRefused("it has nanoseconds, and DuckDB counts microseconds here");
  return value / 1000n;
}

/** Durations are microseconds; intervals are months; days and milliseconds; or months, days and nanoseconds. */
export function putInterval(column: Column, cells: FixedCells): Put {
  const { type } = column.field;
  if (type.kind === "duration") {
    const values = integersOf(column);
    return (row, at) => writeInterval(cells, at, 0, 0, toMicros(BigInt(values[row]!), type.unit));
  }
  const words = wholeNumbers(column.buffers[0]!, 32, true) as Int32Array;
  const unit = type.kind === "interval" ? type.unit : 0;
  if (unit === 0) return (row, at) => writeInterval(cells, at, words[row]!, 0, 0n);
  if (unit === 1) return (row, at) => writeInterval(cells, at, 0, words[2 * row]!, toMicros(BigInt(words[2 * row + 1]!), 1));
  const nanos = wholeNumbers(column.buffers[0]!, 64, true) as BigInt64Array;
  return (row, at) => writeInterval(cells, at, words[4 * row]!, words[4 * row + 1]!, toMicros(nanos[2 * row + 1]!, 3));
}

function writeInterval({ view }: FixedCells, at: number, months: number, days: number, micros: bigint): void {
  if (micros !== BigInt.asIntN(64, micros)) throw new ValueRefused("it is more than DuckDB can count in microseconds");
  view.setInt32(16 * at, months, true);
  view.setInt32(16 * at + 4, days, true);
  view.setBigInt64(16 * at + 8, micros, true);
}
