import { isValid, type Column } from "../../arrow/column.ts";
import { dictionaryReader, integersOf } from "../../arrow/scalar.ts";
import { dateText, textReader } from "../../arrow/text.ts";
import { dateUnits, typeName } from "../../arrow/type.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { segmentOf } from "./segment.ts";

/** More folders than this in one result are taken for a mistake: each is a file of its own, which every reader opens. */
export const partitionsMax = 1_000;

/** The values of one partition column so far, as folders, each with a number of its own from 0 on. */
export interface PartitionKeys {
  /** The number of each row's value. Throws TerminalFailure SINK_VALUE that names column and row, SINK_PARTITIONS for too many values. */
  read(column: Column, rowsBefore: number): Int32Array;
  /** The folder of a number. */
  segment(key: number): string;
}

export function createPartitionKeys(): PartitionKeys {
  const segments: string[] = [];
  const byText = new Map<string | null, number>();
  const byNumber = new Map<number | bigint, number>();

  function keyOf(column: Column, row: number, text: string | null, rowsBefore: number): number {
    const known = byText.get(text);
    if (known !== undefined) return known;
    const segment = segmentOf(column.field.name, text, (why) => refusedValue(column, rowsBefore + row, why));
    if (segments.length >= partitionsMax) throw tooManyPartitions(segment);
    byText.set(text, segments.length);
    return segments.push(segment) - 1;
  }

  return {
    segment: (key) => segments[key]!,
    read(column, rowsBefore) {
      const keys = new Int32Array(column.length);
      const { field } = column;
      const text = field.type.kind === "date" ? datesOf(column, rowsBefore) : textReader(column);
      const isCounted = field.dictionary === undefined && (field.type.kind === "int" || field.type.kind === "date");
      // Numbers of a dictionary mean the same until its next message only.
      const known = isCounted ? byNumber : new Map<number | bigint, number>();
      const numbers = isCounted || field.dictionary !== undefined ? integersOf(column) : null;
      let nullKey: number | undefined;
      for (let row = 0; row < column.length; row += 1) {
        if (field.type.kind === "null" || !isValid(column, row)) {
          keys[row] = nullKey ??= keyOf(column, row, null, rowsBefore);
        } else if (numbers === null) {
          keys[row] = keyOf(column, row, text(row), rowsBefore);
        } else {
          let key = known.get(numbers[row]!);
          if (key === undefined) known.set(numbers[row]!, (key = keyOf(column, row, text(row), rowsBefore)));
          keys[row] = key;
        }
      }
      return keys;
    },
  };
}

const msPerDay = 86_400_000n;

/** Dates as all readers take them: within the years 1 to 9999. */
function datesOf(column: Column, rowsBefore: number): (row: number) => string | null {
  const { type, dictionary } = column.field;
  if (dictionary !== undefined) return datesBehind(column, rowsBefore);
  const values = integersOf(column);
  const inDays = type.kind === "date" && type.unit === dateUnits.day;
  return (row) => {
    const count = BigInt(values[row]!);
    if (!inDays && count % msPerDay !== 0n) throw refusedValue(column, rowsBefore + row, `is ${count} ms, which is no whole day`);
    const text = dateText(inDays ? count : count / msPerDay);
    if (!/^\d{4}-/.test(text) || text.startsWith("0000"))
      throw refusedValue(column, rowsBefore + row, `is ${text}, and readers take the years 1 to 9999`);
    return text;
  };
}

function datesBehind(column: Column, rowsBefore: number): (row: number) => string | null {
  const place = dictionaryReader(column);
  const readers = new Map((column.dictionary ?? []).map((values) => [values, datesOf(values, rowsBefore)] as const));
  return (row) => {
    const found = place(row);
    return found === null ? null : readers.get(found.values)!(found.row);
  };
}

export function tooManyPartitions(path: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_PARTITIONS",
    message: `the output has more than ${partitionsMax} partitions; one too many is ${path}`,
    hint: "Partition by fewer or coarser columns, such as a month in the place of a time: each partition of a result is a file of its own",
    data: { partitionsMax },
  });
}

function refusedValue({ field }: Column, row: number, why: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_VALUE",
    message: `column "${field.name}" of type ${typeName(field)}, by which the topic is partitioned, ${why}; it is in row ${row + 1} of the output`,
    hint: "Correct the value in the plugin, or partition by another column",
    data: { column: field.name, row: row + 1 },
  });
}
