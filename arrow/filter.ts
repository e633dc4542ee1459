import type { Column } from "./column.ts";
import { widthOf } from "./column.ts";
import { wholeNumbers } from "./scalar.ts";

/**
 * Rows that lie one after the other, as `[from, to)` pairs in order. What is set aside is rare, so what stays is few long runs, and each
 * run is one copy for each buffer, whatever it holds.
 */
export interface Runs {
  readonly bounds: readonly number[];
  readonly rows: number;
}

/** The rows of a batch that are marked, or those that are not. A mark is a byte that is not 0. */
export function runsOf(marks: Uint8Array, marked: boolean): Runs {
  const bounds: number[] = [];
  let rows = 0;
  for (let row = 0; row < marks.length;) {
    const isTaken = (marks[row] !== 0) === marked;
    let end = row + 1;
    while (end < marks.length && (marks[end] !== 0) === (marks[row] !== 0)) end += 1;
    if (isTaken) {
      bounds.push(row, end);
      rows += end - row;
    }
    row = end;
  }
  return { bounds, rows };
}

/**
 * The rows of a column, in order, as a column of the same type with buffers of its own; what views, dense unions and lists by offset and
 * size point into, and dictionaries, stay as they are. Exact for every type.
 */
export function takeRows(column: Column, runs: Runs): Column {
  const { field, validity, children } = column;
  const taken = { field, length: runs.rows, validity: validity && takeBits(validity, runs), dictionary: column.dictionary };
  const { type } = field;
  if (field.dictionary !== undefined) return { ...taken, buffers: [takeFixed(column, 0, widthOf(field), runs)], children: [] };
  switch (type.kind) {
    case "null":
      return { ...taken, buffers: [], children: [] };
    case "bool":
      return { ...taken, buffers: [takeBits(column.buffers[0]!, runs)], children: [] };
    case "struct":
      return { ...taken, buffers: [], children: children.map((child) => takeRows(child, runs)) };
    case "fixed_size_list":
      return { ...taken, buffers: [], children: children.map((child) => takeRows(child, scaled(runs, type.size))) };
    case "string":
    case "binary":
    case "large_string":
    case "large_binary": {
      const { offsets, below } = takeOffsets(column, runs, column.buffers[1]!.length);
      return { ...taken, buffers: [offsets, takeBytes(column.buffers[1]!, 1, below)], children: [] };
    }
    case "list":
    case "large_list":
    case "map": {
      const { offsets, below } = takeOffsets(column, runs, children[0]!.length);
      return { ...taken, buffers: [offsets], children: [takeRows(children[0]!, below)] };
    }
    case "list_view":
    case "large_list_view":
      return { ...taken, buffers: [0, 1].map((index) => takeFixed(column, index, widthOf(field), runs)), children };
    case "string_view":
    case "binary_view":
      return { ...taken, buffers: [takeFixed(column, 0, 16, runs), ...column.buffers.slice(1)], children };
    case "union":
      return takeUnion(column, runs, type.mode);
    case "run_end_encoded":
      return takeRunEnds(column, runs);
    default:
      return { ...taken, buffers: [takeFixed(column, 0, widthOf(field), runs)], children: [] };
  }
}

function takeFixed(column: Column, index: number, width: number, runs: Runs): Uint8Array {
  return takeBytes(column.buffers[index]!, width, runs);
}

function takeBytes(buffer: Uint8Array, width: number, { bounds, rows }: Runs): Uint8Array {
  const taken = new Uint8Array(rows * width);
  for (let at = 0, run = 0; run < bounds.length; run += 2) {
    const [from, to] = [bounds[run]! * width, bounds[run + 1]! * width];
    // Where single rows are taken, as for partitions, a view of each would cost ten times as much.
    if (to - from <= shortBytes) for (let byte = from; byte < to; byte += 1, at += 1) taken[at] = buffer[byte]!;
    else {
      taken.set(buffer.subarray(from, to), at);
      at += to - from;
    }
  }
  return taken;
}

const shortBytes = 32;

function takeBits(bits: Uint8Array, { bounds, rows }: Runs): Uint8Array {
  const taken = new Uint8Array(Math.ceil(rows / 8));
  let at = 0;
  for (let run = 0; run < bounds.length; run += 2) {
    for (let row = bounds[run]!; row < bounds[run + 1]!; row += 1, at += 1) {
      taken[at >> 3]! |= ((bits[row >> 3]! >> (row & 7)) & 1) << (at & 7);
    }
  }
  return taken;
}

/** The offsets of what is taken, from 0 on, and the values below that belong to it. */
function takeOffsets(column: Column, { bounds, rows }: Runs, valuesMax: number): { readonly offsets: Uint8Array; readonly below: Runs } {
  const isLarge = column.field.type.kind.startsWith("large");
  const given = wholeNumbers(column.buffers[0]!, isLarge ? 64 : 32, true);
  const offsets = isLarge ? new BigInt64Array(rows + 1) : new Int32Array(rows + 1);
  const below: number[] = [];
  let [at, values] = [1, 0];
  for (let run = 0; run < bounds.length; run += 2) {
    const [from, to] = [Number(given[bounds[run]!]), Number(given[bounds[run + 1]!])];
    if (from < 0 || to < from || to > valuesMax) throw new RangeError(`column "${column.field.name}" has a value outside of its message`);
    const shift = values - from;
    for (let row = bounds[run]! + 1; row <= bounds[run + 1]!; row += 1, at += 1) {
      if (isLarge) offsets[at] = BigInt(Number(given[row]) + shift);
      else offsets[at] = Number(given[row]) + shift;
    }
    if (to > from) below.push(from, to);
    values += to - from;
  }
  return { offsets: new Uint8Array(offsets.buffer), below: { bounds: below, rows: values } };
}

function scaled({ bounds, rows }: Runs, size: number): Runs {
  return { bounds: bounds.map((bound) => bound * size), rows: rows * size };
}

/** Sparse ones have a value in each child for each row; dense ones point into their children, which stay. */
function takeUnion(column: Column, runs: Runs, mode: number): Column {
  const kinds = takeFixed(column, 0, 1, runs);
  const isSparse = mode === 0;
  return {
    ...column,
    length: runs.rows,
    buffers: isSparse ? [kinds] : [kinds, takeFixed(column, 1, 4, runs)],
    children: isSparse ? column.children.map((child) => takeRows(child, runs)) : column.children,
  };
}

/** Each run of equal values that has a row left keeps one value, and ends after as many rows as are left of it and those before. */
function takeRunEnds(column: Column, { bounds, rows }: Runs): Column {
  const [endsColumn, values] = column.children as [Column, Column];
  const { type } = endsColumn.field;
  const ends = wholeNumbers(endsColumn.buffers[0]!, type.kind === "int" ? type.bits : 32, true);
  const marks = new Uint8Array(values.length);
  const newEnds: number[] = [];
  let [start, taken, run] = [0, 0, 0];
  for (let value = 0; value < values.length; value += 1) {
    const end = Math.min(Number(ends[value]), column.length);
    const before = taken;
    while (run < bounds.length && bounds[run]! < end) {
      taken += Math.max(0, Math.min(bounds[run + 1]!, end) - Math.max(bounds[run]!, start));
      if (bounds[run + 1]! > end) break;
      run += 2;
    }
    if (taken > before) {
      marks[value] = 1;
      newEnds.push(taken);
    }
    start = end;
  }
  const endsTaken = wholeNumbers(new Uint8Array(newEnds.length * ends.BYTES_PER_ELEMENT), ends.BYTES_PER_ELEMENT * 8, true);
  for (const [index, end] of newEnds.entries()) endsTaken[index] = ends instanceof BigInt64Array ? BigInt(end) : end;
  const endsBuffer = new Uint8Array(endsTaken.buffer, endsTaken.byteOffset, endsTaken.byteLength);
  return {
    ...column,
    length: rows,
    children: [{ ...endsColumn, length: newEnds.length, buffers: [endsBuffer] }, takeRows(values, runsOf(marks, true))],
  };
}
