import { candidates, isNullSpelling } from "./candidate.ts";
import { observeColumn, type InferredColumn } from "./column.ts";
import type { FoundDialect } from "./dialect.ts";
import { habitsOf, inferColumn } from "./infer.ts";
import { parseRecords, type TextRecord } from "./records.ts";

/** A text whose lines are rows of fields. */
export interface TextTable {
  readonly kind: "delimited";
  readonly delimiter: string;
  /** Null where nothing is quoted. */
  readonly quote: string | null;
  readonly newlinesInQuotes: boolean;
  /** Lines before the header, or before the first row. */
  readonly skip: number;
  readonly header: boolean;
  /** Whether the columns' names are not just those of the header. */
  readonly renamed: boolean;
  readonly hasStrayQuotes: boolean;
  /** Why it is taken for a header, or not. */
  readonly headerReason: string;
  readonly columns: readonly InferredColumn[];
  readonly rows: number;
  /** Rows with other counts of fields: how many, and the first ones. */
  readonly ragged: { readonly count: number; readonly first: readonly { readonly line: number; readonly fields: number }[] };
  readonly first: readonly (readonly string[])[];
  readonly longestRow: number;
  readonly notices: readonly string[];
}

const skipMax = 20;
const raggedMax = 5;

export function readTextTable(
  text: string,
  dialect: FoundDialect,
  options: { readonly isWhole: boolean; readonly rowsShown: number },
): TextTable {
  const parsed = parseRecords(text, dialect, options.isWhole);
  const width = dialect.fields;
  const begin = firstFull(parsed.records, width);
  const records = parsed.records.slice(begin);
  const { header, headerReason } = findHeader(records, width);
  const names = namesOf(header ? (records[0]?.fields ?? []) : [], width);
  const rows = header ? records.slice(1) : records;
  const even = rows.filter(({ fields }) => fields.length === width);
  const ragged = rows.filter(({ fields }) => fields.length !== width);
  const observers = names.map(() => observeColumn());
  for (const { fields, line } of even) for (const [index, value] of fields.entries()) observers[index]!.take(value, line);
  const facts = observers.map((observer) => observer.facts());
  const habits = habitsOf(facts, dialect.delimiter);
  const notices = [
    ...(begin > 0
      ? [`the first ${begin === 1 ? "line is" : `${begin} lines are`} no row: ${JSON.stringify(firstLine(text).slice(0, 80))}`]
      : []),
    ...(parsed.openQuote === null ? [] : [`the quote that line ${parsed.openQuote} opens is never closed`]),
    ...(parsed.strayQuotes.length === 0
      ? []
      : [`quotes stand within fields, first in line ${parsed.strayQuotes[0]}; they are kept as they are`]),
  ];
  return {
    kind: "delimited",
    delimiter: dialect.delimiter,
    quote: parsed.hasQuotes ? dialect.quote : null,
    newlinesInQuotes: parsed.hasNewlinesInQuotes,
    skip: begin === 0 ? 0 : parsed.records[begin]!.line - 1,
    header,
    headerReason,
    renamed: header && names.some((name, index) => name !== records[0]!.fields[index]),
    hasStrayQuotes: parsed.strayQuotes.length > 0,
    columns: names.map((name, index) => inferColumn(name, facts[index]!, habits)),
    rows: even.length,
    ragged: { count: ragged.length, first: ragged.slice(0, raggedMax).map(({ line, fields }) => ({ line, fields: fields.length })) },
    first: even.slice(0, options.rowsShown).map(({ fields }) => fields),
    longestRow: records.reduce(
      (longest, { fields }) =>
        Math.max(
          longest,
          fields.reduce((sum, field) => sum + field.length + 1, 0),
        ),
      0,
    ),
    notices,
  };
}

/** Reports begin with a title or two, which have fewer fields than the rows below. */
function firstFull(records: readonly TextRecord[], width: number): number {
  const begin = records.findIndex(({ fields }) => fields.length === width);
  return begin > 0 && begin <= skipMax ? begin : 0;
}

/** A header names columns: texts, all different, and where possible of another kind than what stands below. */
function findHeader(records: readonly TextRecord[], width: number): { readonly header: boolean; readonly headerReason: string } {
  const [first, ...rest] = records;
  if (first === undefined) return { header: false, headerReason: "there is no row" };
  const cells = first.fields.map((cell) => cell.trim());
  const none = (headerReason: string) => ({ header: false, headerReason });
  const number = cells.find((cell) => cell !== "" && typed(cell));
  if (number !== undefined && !isYear(number, rest)) return none(`the first row holds values, such as ${JSON.stringify(number)}`);
  const named = cells.filter((cell) => cell !== "");
  if (named.length < width * 0.5) return none("most fields of the first row are empty");
  const below = rest.filter(({ fields }) => fields.length === width).slice(0, 200);
  if (below.length === 0)
    return cells.every(isWord)
      ? { header: true, headerReason: "the only row has names in it" }
      : none("there is one row only, and its fields do not look like names");
  const typedBelow = cells.findIndex((cell, index) => cell !== "" && mostlyTyped(below, index));
  if (typedBelow !== -1)
    return {
      header: true,
      headerReason: `the first row has names, such as ${JSON.stringify(cells[typedBelow])} above ${JSON.stringify(valueIn(below, typedBelow))}`,
    };
  if (new Set(named).size < named.length) return none("the first row has the same text twice");
  const recurs = cells.findIndex((cell, index) => cell !== "" && below.some(({ fields }) => fields[index] === first.fields[index]));
  if (recurs !== -1) return none(`${JSON.stringify(cells[recurs])} of the first row comes again below, so it is a value`);
  return named.every(isWord)
    ? {
        header: true,
        headerReason: "the first row looks like names, and none of them comes again below; all columns are text, so this is a guess",
      }
    : none("the first row does not look like names");
}

function typed(cell: string): boolean {
  return candidates.some(({ candidate, test }) => candidate.kind !== "boolean" && test(cell));
}

/** Years as names of columns, above numbers, are usual in reports. */
function isYear(cell: string, rest: readonly TextRecord[]): boolean {
  return (
    /^(?:19|20)\d\d$/.test(cell) &&
    rest.length > 0 &&
    !rest.some(({ fields }) => fields.some((field) => /^(?:19|20)\d\d$/.test(field.trim())))
  );
}

function mostlyTyped(rows: readonly TextRecord[], index: number): boolean {
  const values = rows.map(({ fields }) => fields[index]!.trim()).filter((value) => !isNullSpelling(value));
  return values.length > 0 && values.filter(typed).length >= values.length * 0.8;
}

function valueIn(rows: readonly TextRecord[], index: number): string {
  return rows.map(({ fields }) => fields[index]!).find((value) => !isNullSpelling(value)) ?? "";
}

function isWord(cell: string): boolean {
  return /^[\p{L}_#$%(][\p{L}\p{N}\s_.,:;#$%()/&'"°€£@*+?!-]{0,63}$/u.test(cell);
}

/** A name for each column, each once. */
export function namesOf(header: readonly string[], width: number): readonly string[] {
  const taken = new Set<string>();
  return Array.from({ length: width }, (_, index) => {
    const wanted = header[index]?.trim() || `column_${index + 1}`;
    let name = wanted;
    for (let again = 2; taken.has(name); again += 1) name = `${wanted}_${again}`;
    taken.add(name);
    return name;
  });
}

function firstLine(text: string): string {
  return text.split(/\r\n|\n|\r/, 1)[0] ?? "";
}
