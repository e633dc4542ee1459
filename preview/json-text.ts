import { messageOf } from "../domain/failure.ts";
import { observeColumn, type ColumnObserver, type InferredColumn, type InferredType } from "./column.ts";
import { arrowOf, inferColumn } from "./infer.ts";

/** A text that is JSON and holds rows: objects in an array, in lines, or one alone. */
export interface JsonContent {
  readonly kind: "json";
  readonly layout: "array" | "lines" | "object";
  /** The keys that lead from the outermost object to the array of rows. */
  readonly path: readonly string[];
  readonly columns: readonly JsonColumn[];
  readonly rows: number;
  readonly first: readonly (readonly string[])[];
  readonly notices: readonly string[];
}

export interface JsonColumn extends Omit<InferredColumn, "type" | "mayBeNull"> {
  readonly type:
    | InferredType
    | { readonly kind: "nested" }
    | { readonly kind: "mixed" }
    | { readonly kind: "double" }
    | { readonly kind: "flag" };
}

type Row = Readonly<Record<string, unknown>>;

const rowsMax = 100_000;
const keysMax = 1_000;
const lineErrorsMax = 0.1;

/** Why a text that begins like JSON has no rows in it; null where it doesn't begin so, or is none and is not `named` JSON either. */
export function whyNoJson(text: string, named: boolean): string | null {
  if (!/^\s*[{[]/.test(text)) return null;
  try {
    JSON.parse(text);
    return "it is JSON without an object in it, so it has no rows";
  } catch (error) {
    return named ? `it begins like JSON, and is none: ${messageOf(error)}` : null;
  }
}

/** Null where the text isn't JSON with rows in it. */
export function readJson(text: string, options: { readonly isWhole: boolean; readonly rowsShown: number }): JsonContent | null {
  const begin = text.trimStart()[0];
  if (begin !== "{" && begin !== "[") return null;
  const found = readWhole(text, options.isWhole) ?? readLines(text, options.isWhole) ?? readCut(text, options.isWhole);
  if (found === null || found.rows.length === 0) return null;
  const rows = found.rows.slice(0, rowsMax);
  const columns = columnsOf(rows);
  return {
    kind: "json",
    layout: found.layout,
    path: found.path,
    columns,
    rows: found.rows.length,
    first: rows.slice(0, options.rowsShown).map((row) => columns.map(({ name }) => textOf(row[name]))),
    notices: found.notices,
  };
}

interface Found {
  readonly layout: JsonContent["layout"];
  readonly path: readonly string[];
  readonly rows: readonly Row[];
  readonly notices: readonly string[];
}

function readWhole(text: string, isWhole: boolean): Found | null {
  if (!isWhole) return null;
  const value = parse(text);
  if (value === undefined) return null;
  const { path, rows } = findRows(value, []) ?? { path: [], rows: isRow(value) ? [value] : [] };
  return { layout: rows.length === 1 && rows[0] === value ? "object" : "array", path, rows, notices: [] };
}

/** The first array of objects, outermost first. */
function findRows(value: unknown, path: readonly string[]): { readonly path: readonly string[]; readonly rows: readonly Row[] } | null {
  if (Array.isArray(value)) return value.length > 0 && value.every(isRow) ? { path, rows: value } : null;
  if (!isRow(value) || path.length >= 3) return null;
  for (const [key, inner] of Object.entries(value))
    if (Array.isArray(inner) && inner.length > 1 && inner.every(isRow)) return { path: [...path, key], rows: inner };
  for (const [key, inner] of Object.entries(value)) {
    const found = isRow(inner) ? findRows(inner, [...path, key]) : null;
    if (found !== null) return found;
  }
  return null;
}

function readLines(text: string, isWhole: boolean): Found | null {
  const lines = text.split("\n");
  if (!isWhole) lines.pop();
  const rows: Row[] = [];
  const wrong: number[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const value = parse(line);
    if (isRow(value)) rows.push(value);
    else wrong.push(index + 1);
    if (wrong.length > 20 && wrong.length > rows.length * lineErrorsMax) return null;
  }
  if (rows.length === 0 || wrong.length > rows.length * lineErrorsMax) return null;
  const notices =
    wrong.length === 0
      ? []
      : [`${wrong.length === 1 ? "one line is" : `${wrong.length} lines are`} no JSON object, first line ${wrong[0]}`];
  return { layout: "lines", path: [], rows, notices };
}

/** The objects of an array of which only the beginning is there. */
function readCut(text: string, isWhole: boolean): Found | null {
  if (isWhole || !text.trimStart().startsWith("[")) return null;
  const rows: Row[] = [];
  let [depth, begin, inString] = [0, -1, false];
  for (let at = text.indexOf("[") + 1; at < text.length; at += 1) {
    const letter = text[at];
    if (inString) {
      if (letter === "\\") at += 1;
      else if (letter === '"') inString = false;
    } else if (letter === '"') inString = true;
    else if (letter === "{" || letter === "[") {
      if (depth === 0) begin = at;
      depth += 1;
    } else if (letter === "}" || letter === "]") {
      depth -= 1;
      const value = depth === 0 ? parse(text.slice(begin, at + 1)) : undefined;
      if (isRow(value)) rows.push(value);
    }
  }
  return { layout: "array", path: [], rows, notices: [] };
}

interface KeyFacts {
  readonly texts: ColumnObserver;
  text: number;
  whole: number;
  fraction: number;
  flag: number;
  nested: number;
  missing: number;
}

function columnsOf(rows: readonly Row[]): readonly JsonColumn[] {
  const keys = new Map<string, KeyFacts>();
  for (const [index, row] of rows.entries()) {
    for (const [key, value] of Object.entries(row)) {
      const known = keys.get(key);
      if (known === undefined && keys.size >= keysMax) continue;
      const facts = known ?? { texts: observeColumn(), text: 0, whole: 0, fraction: 0, flag: 0, nested: 0, missing: 0 };
      keys.set(key, facts);
      count(facts, value, index + 1);
    }
  }
  return [...keys].map(([name, facts]) => columnOf(name, facts, rows));
}

function count(facts: KeyFacts, value: unknown, row: number): void {
  if (value === null) facts.missing += 1;
  else if (typeof value === "string") {
    facts.text += 1;
    facts.texts.take(value, row);
  } else if (typeof value === "number") facts[Number.isSafeInteger(value) ? "whole" : "fraction"] += 1;
  else if (typeof value === "boolean") facts.flag += 1;
  else facts.nested += 1;
}

function columnOf(name: string, facts: KeyFacts, rows: readonly Row[]): JsonColumn {
  const { text, whole, fraction, flag, nested } = facts;
  const values = text + whole + fraction + flag + nested;
  const kinds = [
    ...(text > 0 ? [`texts (${text})`] : []),
    ...(whole + fraction > 0 ? [`numbers (${whole + fraction})`] : []),
    ...(flag > 0 ? [`true or false (${flag})`] : []),
    ...(nested > 0 ? [`nested values (${nested})`] : []),
  ];
  const examples = rows
    .slice(0, 1000)
    .flatMap((row) => (row[name] === undefined || row[name] === null ? [] : [textOf(row[name]).slice(0, 80)]));
  const base = { name, values, nulls: rows.length - values, nullSpellings: ["null"], examples: [...new Set(examples)].slice(0, 12) };
  if (kinds.length > 1)
    return { ...base, type: { kind: "mixed" }, arrow: "string", notes: [`it holds ${kinds.join(" and ")}, so all become text`] };
  if (nested > 0) return { ...base, type: { kind: "nested" }, arrow: "string", notes: ["nested values are kept as JSON text"] };
  if (flag > 0) return { ...base, type: { kind: "flag" }, arrow: "bool", notes: [] };
  if (fraction > 0) return { ...base, type: { kind: "double" }, arrow: "double", notes: [] };
  if (whole > 0) return { ...base, type: { kind: "integer" }, arrow: "int64", notes: [] };
  const inferred = inferColumn(name, facts.texts.facts(), { comma: false, dayFirst: false, monthFirst: false });
  // A text that looks like a number was written as a text on purpose; a date can't be written otherwise. A day that may be a month stays a text.
  const isTime = ["timestamp", "format", "time"].includes(inferred.type.kind) && facts.texts.facts().nulls.size === 0;
  const type: InferredType = isTime ? inferred.type : { kind: values === 0 ? "empty" : "text" };
  return { ...base, type, arrow: arrowOf(type), notes: isTime ? inferred.notes : [] };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
}
