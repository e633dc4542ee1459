import { candidates, isNullSpelling, type Candidate, type Tried } from "./candidate.ts";

/** What a column of text turned out to hold, and what a reader must know of it. */
export interface InferredColumn {
  readonly name: string;
  readonly type: InferredType;
  /** In Arrow's words. */
  readonly arrow: string;
  readonly values: number;
  readonly nulls: number;
  /** The spellings of missing values, most frequent first: `""`, `NA`. */
  readonly nullSpellings: readonly string[];
  /** In a column of text, values that may stand for none: `NA` is no value, or Namibia. */
  readonly mayBeNull: readonly string[];
  /** Some different values. */
  readonly examples: readonly string[];
  /** Ambiguities and reasons, in sentences. */
  readonly notes: readonly string[];
}

export type InferredType =
  | { readonly kind: "text" }
  | { readonly kind: "empty" }
  | { readonly kind: "boolean"; readonly yes: readonly string[]; readonly no: readonly string[] }
  | { readonly kind: "integer" }
  | {
      readonly kind: "number";
      readonly mark: "point" | "comma";
      readonly grouped: boolean;
      readonly decimal: number | null;
      readonly scale: number;
    }
  | { readonly kind: "time"; readonly unit: TimeUnit }
  | { readonly kind: "timestamp"; readonly unit: TimeUnit; readonly zoned: boolean }
  | { readonly kind: "format"; readonly format: string; readonly is: "date" | "timestamp"; readonly unit: TimeUnit };

export type TimeUnit = "s" | "ms" | "us" | "ns";

/** What is left of the candidates after all values, and what was counted on the way. */
export interface ColumnFacts {
  readonly alive: readonly Candidate[];
  readonly values: number;
  readonly nulls: ReadonlyMap<string, number>;
  /** Different values, few of them. */
  readonly examples: readonly string[];
  /** Where most values look like numbers or dates, and some do not: the first of these. */
  readonly nearly: (Odd & { readonly are: string; readonly fitting: number }) | null;
  /** Digits before and after the fraction's mark, the most that came. */
  readonly wholeDigits: number;
  readonly fractionDigits: number;
  readonly hasZeros: boolean;
  readonly isAllDigits: boolean;
  readonly hasSpaces: boolean;
  /** Whether a point, or a comma, stands before digits anywhere. */
  readonly hasPoint: boolean;
  readonly hasComma: boolean;
  /** Some number has more digits than a double gives back. */
  readonly exceedsDouble: boolean;
}

interface Odd {
  readonly value: string;
  readonly line: number;
}

export interface ColumnObserver {
  take(value: string, line: number): void;
  facts(): ColumnFacts;
}

const examplesMax = 12;
const spellingsMax = 8;

/** Takes the values of one column one after the other. Each strikes out what it is not. */
export function observeColumn(): ColumnObserver {
  let alive: readonly Tried[] = candidates;
  const nulls = new Map<string, number>();
  const examples = new Set<string>();
  const kinds = likenesses.map(({ are, test }) => ({ are, test, fitting: 0, odd: null as Odd | null }));
  let [values, wholeDigits, fractionDigits] = [0, 0, 0];
  let [isCompared, firstLine] = [false, 0];
  let [hasZeros, isAllDigits, hasSpaces, hasPoint, hasComma, exceedsDouble] = [false, true, false, false, false, false];

  function measure(value: string): void {
    if (alive[0]?.candidate.kind === "integer" && value.length <= 15) {
      wholeDigits = Math.max(wholeDigits, value.length);
      return;
    }
    const [, whole = "", fraction = ""] = /^-?([\d.,]*?)(?:[.,](\d*))?(?:[eE].*)?$/.exec(value) ?? [];
    wholeDigits = Math.max(wholeDigits, whole.replaceAll(/\D/g, "").length);
    fractionDigits = Math.max(fractionDigits, fraction.length, (/:\d\d\.(\d+)/.exec(value)?.[1] ?? "").length);
    hasPoint ||= /\.\d/.test(value);
    hasComma ||= /,\d/.test(value);
    exceedsDouble ||= whole.length + fraction.length > 15 && !givesBack(`${whole.replaceAll(/\D/g, "")}.${fraction}`);
  }

  function take(given: string, line: number): void {
    if (isNullSpelling(given)) {
      if (nulls.size < spellingsMax || nulls.has(given)) nulls.set(given, (nulls.get(given) ?? 0) + 1);
      return;
    }
    const value = given.trim();
    if (value.length !== given.length) hasSpaces = true;
    values += 1;
    if (values === 1) firstLine = line;
    if (examples.size < examplesMax) examples.add(value.length > 80 ? `${value.slice(0, 79)}…` : value);
    if (alive.length > 0) alive = alive.filter(({ test }) => test(value));
    if (isAllDigits && !/^\d+$/.test(value)) isAllDigits = false;
    if (isAllDigits && value.length > 1 && value.startsWith("0")) hasZeros = true;
    if (alive.length > 0) measure(value);
    if (alive.length === 0) compare(value, line);
  }

  /** Once nothing is left, how many values look like what most are. All before were alike, so one of them tells of all. */
  function compare(value: string, line: number): void {
    const [first = value] = examples;
    for (const kind of kinds) {
      if (!isCompared && kind.test(first)) kind.fitting = values - 1;
      else if (!isCompared && values > 1) kind.odd ??= { value: first, line: firstLine };
      if (kind.test(value)) kind.fitting += 1;
      else kind.odd ??= { value: value.slice(0, 80), line };
    }
    isCompared = true;
  }

  function nearly(): ColumnFacts["nearly"] {
    const found = kinds.find(({ fitting }) => fitting < values && fitting >= values * nearlyMin);
    return found?.odd == null ? null : { are: found.are, fitting: found.fitting, ...found.odd };
  }

  return {
    take,
    facts: () => ({
      alive: alive.map(({ candidate }) => candidate),
      values,
      nulls,
      examples: [...examples],
      nearly: nearly(),
      wholeDigits,
      fractionDigits,
      hasZeros,
      isAllDigits: isAllDigits && values > 0,
      hasSpaces,
      hasPoint,
      hasComma,
      exceedsDouble,
    }),
  };
}

const nearlyMin = 0.9;
const likenesses = [
  { are: "numbers", test: (value: string) => /^-?\d[\d.,]*(?:[eE][+-]?\d+)?$/.test(value) },
  { are: "dates", test: (value: string) => /^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:$|[ T])/.test(value) },
];

/** Whether the nearest double has these digits, as programs print it with up to 17 of them. */
function givesBack(digits: string): boolean {
  const significant = digits.replace(".", "").replace(/^0+/, "");
  if (significant.length > 17) return false;
  const printed = Number(digits).toPrecision(Math.max(1, significant.length));
  return printed.replace(/e.*$/, "").replace(".", "").replace(/^0+/, "") === significant;
}
