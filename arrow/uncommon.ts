import type { Column } from "./column.ts";
import { wholeNumbers, type WholeNumbers } from "./scalar.ts";

/** A calendar interval: months and days, and a time as a count of 10^-`digits` seconds. */
export interface Interval {
  readonly months: number;
  readonly days: number;
  readonly time: bigint;
  readonly digits: number;
}

/** The values of a column of intervals, whatever their unit. Source: Arrow format/Schema.fbs, IntervalUnit. */
export function intervalReader({ field: { type }, buffers }: Column): (row: number) => Interval {
  const [buffer] = buffers as [Uint8Array];
  const words = wholeNumbers(buffer, 32, true) as Int32Array;
  const unit = type.kind === "interval" ? type.unit : 0;
  if (unit === 0) return (row) => ({ months: words[row]!, days: 0, time: 0n, digits: 0 });
  if (unit === 1) return (row) => ({ months: 0, days: words[2 * row]!, time: BigInt(words[2 * row + 1]!), digits: 3 });
  const longs = wholeNumbers(buffer, 64, true) as BigInt64Array;
  return (row) => ({ months: words[4 * row]!, days: words[4 * row + 1]!, time: longs[2 * row + 1]!, digits: 9 });
}

/** Which of the columns below a union has each value, and at which row. */
export function unionReader({ field, buffers, children }: Column): (row: number) => { readonly child: number; readonly at: number } {
  const { type } = field;
  const [types, offsets] = buffers as [Uint8Array, Uint8Array | undefined];
  const codes = wholeNumbers(types, 8, true) as Int8Array;
  const places = type.kind === "union" && type.mode === 1 ? (wholeNumbers(offsets!, 32, true) as Int32Array) : null;
  const childOf = new Map((type.kind === "union" && type.codes ? type.codes : children.map((_, at) => at)).map((code, at) => [code, at]));
  return (row) => {
    const child = childOf.get(codes[row]!);
    const at = places === null ? row : places[row]!;
    if (child === undefined || children[child] === undefined || at < 0 || at >= children[child].length)
      throw new RangeError(`column "${field.name}" has a value outside of its kinds`);
    return { child, at };
  };
}

/** Which row of the values below a run-end-encoded column each value is. */
export function runReader({ field, children }: Column): (row: number) => number {
  const [ends, values] = children as [Column, Column];
  const bits = ends.field.type.kind === "int" ? ends.field.type.bits : 32;
  const counts: WholeNumbers = wholeNumbers(ends.buffers[0]!, bits, true);
  const runs = Math.min(ends.length, values.length);
  return (row) => {
    let [low, high] = [0, runs];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (Number(counts[middle]) > row) high = middle;
      else low = middle + 1;
    }
    if (low >= runs) throw new RangeError(`column "${field.name}" has a value outside of its runs`);
    return low;
  };
}
