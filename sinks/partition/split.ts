import type { Batch } from "../../arrow/column.ts";
import type { Runs } from "../../arrow/filter.ts";
import { createPartitionKeys, partitionsMax, tooManyPartitions } from "./keys.ts";

/** The rows of a batch that belong to one partition. */
export interface Piece {
  /** `trade_date=2026-01-02/venue=XNAS`. */
  readonly path: string;
  readonly runs: Runs;
}

/**
 * Takes batches apart by the values of their partition columns, which lie at these places. Throws TerminalFailure SINK_VALUE for a value that
 * can't be the name of a folder, and SINK_PARTITIONS for too many.
 */
export function createSplitter(places: readonly number[]): (batch: Batch) => readonly Piece[] {
  const keys = places.map(createPartitionKeys);
  const partitions = new Map<number, string>();
  let rowsBefore = 0;

  function partitionAt(numbers: readonly Int32Array[], row: number, combined: number): string {
    const known = partitions.get(combined);
    if (known !== undefined) return known;
    const path = keys.map((key, level) => key.segment(numbers[level]![row]!)).join("/");
    if (partitions.size >= partitionsMax) throw tooManyPartitions(path);
    partitions.set(combined, path);
    return path;
  }

  return ({ rows, columns }) => {
    const numbers = keys.map((key, level) => key.read(columns[places[level]!]!, rowsBefore));
    const found = new Map<string, { bounds: number[]; rows: number }>();
    for (let row = 0; row < rows;) {
      const combined = combine(numbers, row);
      let end = row + 1;
      while (end < rows && combine(numbers, end) === combined) end += 1;
      const path = partitionAt(numbers, row, combined);
      let piece = found.get(path);
      if (piece === undefined) found.set(path, (piece = { bounds: [], rows: 0 }));
      piece.bounds.push(row, end);
      piece.rows += end - row;
      row = end;
    }
    rowsBefore += rows;
    return [...found].map(([path, runs]) => ({ path, runs }));
  };
}

/** One number for those of all columns, exact: no column has more values than there may be partitions. */
function combine(numbers: readonly Int32Array[], row: number): number {
  let combined = 0;
  for (const column of numbers) combined = combined * partitionsMax + column[row]!;
  return combined;
}
