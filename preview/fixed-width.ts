import { observeColumn, type InferredColumn } from "./column.ts";
import { habitsOf, inferColumn } from "./infer.ts";
import { namesOf } from "./text-table.ts";

/** A text whose fields stand at the same places in each line: always a guess. */
export interface FixedWidth {
  readonly kind: "fixed-width";
  /** Where each field begins and ends, in letters from 0. */
  readonly fields: readonly (readonly [from: number, to: number])[];
  readonly header: boolean;
  readonly columns: readonly InferredColumn[];
  readonly rows: number;
  readonly first: readonly (readonly string[])[];
  readonly notices: readonly string[];
}

const linesMin = 3;
const linesMax = 2_000;
const widthMin = 8;

/** Null where lines differ in length, or where no column of spaces goes through all of them. */
export function readFixedWidth(lines: readonly string[], rowsShown: number): FixedWidth | null {
  const full = lines.filter((line) => line.trim() !== "").slice(0, linesMax);
  if (full.length < linesMin) return null;
  const lengths = new Map<number, number>();
  for (const { length } of full) lengths.set(length, (lengths.get(length) ?? 0) + 1);
  const [width, alike] = [...lengths].toSorted((a, b) => b[1] - a[1])[0]!;
  const trimmed = full.map((line) => line.trimEnd().length);
  // Without spaces at their ends lines differ in length by their last field.
  if (width < widthMin || (alike < full.length * 0.8 && Math.max(...trimmed) - Math.min(...trimmed) > 30)) return null;
  const fields = fieldsOf(full, Math.max(...full.map(({ length }) => length)));
  if (fields.length < 2 || fields.length > width / 2) return null;
  const cells = full.map((line) => fields.map(([from, to]) => line.slice(from, to).trim()));
  const header =
    cells[0]!.every((cell) => /^[\p{L}_#][\p{L}\p{N}_ #./%-]*$/u.test(cell)) &&
    cells.slice(1).some((row) => row.some((cell) => /^\d/.test(cell)));
  const rows = header ? cells.slice(1) : cells;
  const observers = fields.map(() => observeColumn());
  for (const [line, row] of rows.entries())
    for (const [index, cell] of row.entries()) observers[index]!.take(cell, line + (header ? 2 : 1));
  const facts = observers.map((observer) => observer.facts());
  const typed = facts.filter(({ alive, values }) => alive.length > 0 && values > 0).length;
  // Prose also has spaces below each other, by chance.
  if (alike < full.length * 0.8 && typed === 0) return null;
  const names = namesOf(header ? cells[0]! : [], fields.length);
  return {
    kind: "fixed-width",
    fields,
    header,
    columns: names.map((name, index) => inferColumn(name, facts[index]!, habitsOf(facts, " "))),
    rows: lines.filter((line) => line.trim() !== "").length - (header ? 1 : 0),
    first: rows.slice(0, rowsShown),
    notices: ["where fields begin and end is a guess by the columns of spaces; compare it with the file's description"],
  };
}

/** Between columns in which all lines have a space. */
function fieldsOf(lines: readonly string[], width: number): readonly (readonly [from: number, to: number])[] {
  const used = Array.from({ length: width }, (_, at) => lines.some((line) => line[at] !== undefined && line[at] !== " "));
  const fields: [number, number][] = [];
  for (let at = 0; at < width; at += 1) {
    if (!used[at]) continue;
    const from = at;
    while (at < width && used[at]) at += 1;
    fields.push([from, at]);
  }
  return fields;
}
