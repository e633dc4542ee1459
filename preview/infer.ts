import type { Candidate } from "./candidate.ts";
import type { ColumnFacts, InferredColumn, InferredType, TimeUnit } from "./column.ts";

/** What the other columns of a file tell of how it writes its values. */
export interface FileHabits {
  /** Whether some column can only be read with a comma before the fraction. */
  readonly comma: boolean;
  /** Whether some column can only be read with the day, or the month, first. */
  readonly dayFirst: boolean;
  readonly monthFirst: boolean;
}

/** What is beyond doubt in single columns, for those in which it isn't. */
export function habitsOf(columns: readonly ColumnFacts[], delimiter: string): FileHabits {
  const has = (test: (alive: readonly Candidate[]) => boolean): boolean => columns.some(({ alive, values }) => values > 0 && test(alive));
  const isFirst = (letter: string) => (alive: readonly Candidate[]) => {
    const formats = alive.flatMap((each) => (each.kind === "format" && each.format.twin !== null ? [each.format] : []));
    return formats.length === 1 && formats[0]!.format.startsWith(letter);
  };
  const comma = has((alive) => numbersOf(alive).length > 0 && numbersOf(alive).every(({ mark }) => mark === "comma"));
  return { comma: comma || delimiter === ";", dayFirst: has(isFirst("%d")), monthFirst: has(isFirst("%m")) };
}

/** The type that is left, with what a person must know of it. */
export function inferColumn(name: string, facts: ColumnFacts, habits: FileHabits): InferredColumn {
  const { type, notes } = facts.values === 0 ? { type: { kind: "empty" } as const, notes: [] } : choose(name, facts, habits);
  const isText = type.kind === "text";
  const missing = [...facts.nulls].filter(([spelling]) => !isText || spelling === "").toSorted((a, b) => b[1] - a[1]);
  const words = isText ? [...facts.nulls.keys()].filter((spelling) => spelling !== "") : [];
  const count = missing.reduce((sum, [, amount]) => sum + amount, 0);
  return {
    name,
    type,
    arrow: arrowOf(type),
    values: facts.values,
    nulls: count,
    nullSpellings: missing.map(([spelling]) => spelling),
    mayBeNull: words,
    examples: facts.examples,
    notes: [
      ...notes,
      ...(words.length > 0
        ? [`${words.map(shown).join(", ")} may mean that there is no value; in a column of text it stays as it is`]
        : []),
      ...(facts.hasSpaces && isText ? ["some values have spaces around them, which stay"] : []),
    ],
  };
}

interface Choice {
  readonly type: InferredType;
  readonly notes: readonly string[];
}

function choose(name: string, facts: ColumnFacts, habits: FileHabits): Choice {
  const [first] = facts.alive;
  if (first === undefined) return { type: { kind: "text" }, notes: whyText(facts) };
  const numbers = numbersOf(facts.alive);
  switch (first.kind) {
    case "boolean":
      return booleanOf(facts);
    case "integer":
      return integerOf(name, facts);
    case "number":
      return numberOf(numbers, facts, habits);
    case "time":
      return { type: { kind: "time", unit: unitOf(facts.fractionDigits) }, notes: [] };
    case "instant":
    case "zoned":
      return { type: { kind: "timestamp", unit: unitOf(facts.fractionDigits), zoned: first.kind === "zoned" }, notes: [] };
    default:
      return dateOf(facts, habits);
  }
}

/** One letter alone, such as N, is rather a code. */
function booleanOf({ examples }: ColumnFacts): Choice {
  const lower = new Set(examples.map((value) => value.toLowerCase()));
  if (lower.size === 1 && [...lower][0]!.length === 1)
    return { type: { kind: "text" }, notes: [`all values are ${shown(examples[0]!)}, which may be a code or a yes or no`] };
  const isYes = (value: string): boolean => /^(?:true|yes|t|y)$/i.test(value);
  return { type: { kind: "boolean", yes: examples.filter(isYes), no: examples.filter((value) => !isYes(value)) }, notes: [] };
}

function integerOf(name: string, { alive, examples, wholeDigits }: ColumnFacts): Choice {
  const isCompact = alive.some((each) => each.kind === "format" && each.format.format === "%Y%m%d");
  const plausible = isCompact && examples.every((value) => /^(?:19|20)\d{6}$/.test(value));
  if (plausible && /date|day|datum|tag|_dt$|^dt/i.test(name))
    return {
      type: { kind: "format", format: "%Y%m%d", is: "date", unit: "s" },
      notes: [`${examples[0]} is read as a date (year, month, day), because of the column's name; it may also be a number`],
    };
  const notes = plausible ? [`${examples[0]} is read as a number; it may also be a date (year, month, day)`] : [];
  const isSeconds =
    /time|stamp|epoch|_ts$|_at$/i.test(name) &&
    (wholeDigits === 10 || wholeDigits === 13) &&
    examples.every((value) => value.startsWith("1"));
  return {
    type: { kind: "integer" },
    notes: isSeconds
      ? [`${examples[0]} may be a time in ${wholeDigits === 10 ? "seconds" : "milliseconds"} since 1970; it stays a number`]
      : notes,
  };
}

type NumberCandidate = Extract<Candidate, { readonly kind: "number" }>;

function numbersOf(alive: readonly Candidate[]): readonly NumberCandidate[] {
  return alive.filter((each) => each.kind === "number");
}

function numberOf(numbers: readonly NumberCandidate[], facts: ColumnFacts, { comma }: FileHabits): Choice {
  const { wholeDigits, fractionDigits, examples, exceedsDouble } = facts;
  const marked = examples.find((value) => /[.,]/.test(value)) ?? examples[0]!;
  const marks = new Set(numbers.map(({ mark }) => mark));
  const wanted = comma ? "comma" : "point";
  const preferred = numbers.filter(({ mark }) => marks.size === 1 || mark === wanted);
  const chosen = preferred.find(({ grouped }) => !grouped) ?? preferred[0] ?? numbers[0]!;
  // Read as groups, what stands after the mark is no fraction.
  const hasFraction = chosen.mark === "point" ? facts.hasPoint : facts.hasComma;
  const scale = chosen.grouped && !hasFraction ? 0 : fractionDigits;
  const notes: string[] = [];
  if (marks.size > 1) {
    const other = numbers.find(({ mark }) => mark !== chosen.mark)!;
    const why = comma ? ", as this file writes other numbers or divides its fields with semicolons" : "";
    notes.push(`${marked} is read as ${plain(marked, chosen)}${why}; it may also be ${plain(marked, other)}`);
  } else if (chosen.mark === "comma") notes.push(`a comma stands before the fraction: ${marked} is ${plain(marked, chosen)}`);
  else if (chosen.grouped) notes.push(`commas group the digits: ${marked} is ${plain(marked, chosen)}`);
  const digits = wholeDigits + scale;
  if (exceedsDouble) notes.push("some values have more digits than a double keeps, so it is a decimal");
  return {
    type: { kind: "number", mark: chosen.mark, grouped: chosen.grouped, decimal: exceedsDouble && digits <= 38 ? digits : null, scale },
    notes,
  };
}

function plain(value: string, { mark }: NumberCandidate): string {
  return mark === "point" ? value.replaceAll(",", "") : value.replaceAll(".", "").replace(",", ".");
}

function dateOf({ alive, examples, fractionDigits }: ColumnFacts, { dayFirst, monthFirst }: FileHabits): Choice {
  const formats = alive.flatMap((each) => (each.kind === "format" ? [each.format] : []));
  const letter = dayFirst && !monthFirst ? "%d" : "%m";
  const chosen = formats.find(({ format, twin }) => twin === null || format.startsWith(letter)) ?? formats[0]!;
  const twin = formats.find(({ format }) => format === chosen.twin);
  const example = examples.find((value) => new Set(value.match(/\d+/g)?.slice(0, 2)).size > 1) ?? examples[0]!;
  const reason = dayFirst && !monthFirst ? ", as another column of this file must be" : "";
  const notes = twin
    ? [`${example} is read as ${chosen.words}${reason}; no value tells it from ${twin.words}, so ask whoever made the file`]
    : [];
  const others = formats.filter((each) => each !== chosen && each !== twin && each.words !== chosen.words);
  if (others.length > 0) notes.push(`${example} may also be ${others.map(({ words }) => words).join(" or ")}`);
  return { type: { kind: "format", format: chosen.format, is: chosen.kind, unit: unitOf(fractionDigits) }, notes };
}

/** What kept a column from being numbers or dates: leading zeros, or the first value that is none. */
function whyText(facts: ColumnFacts): readonly string[] {
  if (facts.isAllDigits && facts.hasZeros) {
    const example = facts.examples.find((value) => value.startsWith("0")) ?? "";
    return [`all values are digits, and some begin with zeros${example === "" ? "" : ` (${example})`}, which a number would lose`];
  }
  const most = facts.nearly;
  return most === null
    ? []
    : [`${most.fitting} of ${facts.values} values are ${most.are}; the first that is not: ${shown(most.value)} (line ${most.line})`];
}

function unitOf(fractionDigits: number): TimeUnit {
  return fractionDigits === 0 ? "s" : fractionDigits <= 3 ? "ms" : fractionDigits <= 6 ? "us" : "ns";
}

/** The Arrow type that the values are given, as `plugin test` shows it. */
export function arrowOf(type: InferredType): string {
  switch (type.kind) {
    case "boolean":
      return "bool";
    case "integer":
      return "int64";
    case "number":
      return type.decimal !== null ? `decimal128(${type.decimal}, ${type.scale})` : type.grouped && type.scale === 0 ? "int64" : "double";
    case "time":
      return type.unit === "s" || type.unit === "ms" ? `time32[${type.unit}]` : `time64[${type.unit}]`;
    case "timestamp":
      return `timestamp[${type.unit}${type.zoned ? ", tz=UTC" : ""}]`;
    case "format":
      return type.is === "date" ? "date32[day]" : `timestamp[${type.unit}]`;
    default:
      return "string";
  }
}

function shown(text: string): string {
  return JSON.stringify(text);
}
