import { createBatchReader, type Batch, type Column } from "./column.ts";
import { readingArrow } from "./message.ts";
import { textReader } from "./text.ts";
import { typeName } from "./type.ts";
import type { ArrowMessage } from "../domain/arrow.ts";

export interface SampledColumn {
  readonly name: string;
  /** In Arrow's words: `timestamp[us, tz=UTC]`. */
  readonly type: string;
  readonly nulls: number;
  /** For showing it: numbers go to the right. */
  readonly isNumber: boolean;
}

/** Counts the rows of one output, and keeps the first ones as text. */
export interface RowSample {
  take(message: ArrowMessage): void;
  columns(): readonly SampledColumn[];
  rows(): number;
  first(): readonly (readonly (string | null)[])[];
}

export function createRowSample(schema: ArrowMessage, rowsMax: number): RowSample {
  const reader = createBatchReader(schema);
  const { fields } = reader.schema;
  const nulls = fields.map(() => 0);
  const first: (string | null)[][] = [];
  let rows = 0;

  function keep({ columns, rows: count }: Batch): void {
    const wanted = Math.min(count, rowsMax - first.length);
    if (wanted <= 0) return;
    const texts = columns.map(textReader);
    for (let row = 0; row < wanted; row += 1) first.push(texts.map((text) => text(row)));
  }

  return {
    take(message) {
      const batch = readingArrow(`a ${message.kind}`, () => reader.read(message));
      if (batch === null) return;
      rows += batch.rows;
      for (const [index, column] of batch.columns.entries()) nulls[index] = nulls[index]! + nullsOf(column);
      readingArrow("a batch", () => keep(batch));
    },
    columns: () =>
      fields.map((field, index) => ({
        name: field.name,
        type: typeName(field),
        nulls: nulls[index]!,
        isNumber: field.dictionary === undefined && ["int", "float", "decimal"].includes(field.type.kind),
      })),
    rows: () => rows,
    first: () => first,
  };
}

function nullsOf({ field, length, validity }: Column): number {
  if (field.type.kind === "null") return length;
  if (validity === null) return 0;
  let valid = 0;
  const whole = length >> 3;
  for (let at = 0; at < whole; at += 1) valid += ones[validity[at]!]!;
  for (let row = whole << 3; row < length; row += 1) valid += (validity[row >> 3]! >> (row & 7)) & 1;
  return length - valid;
}

const ones = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);
