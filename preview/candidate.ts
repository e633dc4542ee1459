import { dateFormats, type DateFormat } from "./date-format.ts";

/** A type that a column may turn out to have, as long as no value speaks against it. */
export type Candidate =
  | { readonly kind: "boolean" | "integer" | "time" | "instant" | "zoned" }
  /** `point` and `comma` say what stands before the fraction; `grouped`: digits come in threes with the other one between. */
  | { readonly kind: "number"; readonly mark: "point" | "comma"; readonly grouped: boolean }
  | { readonly kind: "format"; readonly format: DateFormat };

export interface Tried {
  readonly candidate: Candidate;
  readonly test: (value: string) => boolean;
}

const iso = /^\d{4}-(\d{2})-(\d{2})[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(Z|[+-]\d{2}(?::?\d{2})?)?$/;

/** In the order in which the first that is left is taken. */
export const candidates: readonly Tried[] = [
  { candidate: { kind: "boolean" }, test: (value) => /^(?:true|false|yes|no|t|f|y|n)$/i.test(value) },
  { candidate: { kind: "integer" }, test: isInteger },
  {
    candidate: { kind: "number", mark: "point", grouped: false },
    test: (value) => /^-?(?:0|[1-9]\d*)?(?:\.\d+|\.)?(?:[eE][+-]?\d+)?$/.test(value) && /\d/.test(value) && !/^-?[eE.]+$/.test(value),
  },
  { candidate: { kind: "number", mark: "comma", grouped: false }, test: (value) => /^-?(?:0|[1-9]\d*)(?:,\d+)?$/.test(value) },
  {
    candidate: { kind: "number", mark: "point", grouped: true },
    test: (value) => /^-?(?:0|[1-9]\d{0,2}(?:,\d{3})*)(?:\.\d+)?$/.test(value),
  },
  {
    candidate: { kind: "number", mark: "comma", grouped: true },
    test: (value) => /^-?(?:0|[1-9]\d{0,2}(?:\.\d{3})*)(?:,\d+)?$/.test(value),
  },
  { candidate: { kind: "instant" }, test: (value) => isIso(value, false) },
  { candidate: { kind: "zoned" }, test: (value) => isIso(value, true) },
  { candidate: { kind: "time" }, test: (value) => /^(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?$/.test(value) },
  ...dateFormats.map((format) => ({ candidate: { kind: "format" as const, format }, test: format.test })),
];

const [least, most] = [-(2n ** 63n), 2n ** 63n - 1n];

/** A number with a leading zero is none: the zero would be lost. */
function isInteger(value: string): boolean {
  if (!/^-?(?:0|[1-9]\d*)$/.test(value)) return false;
  return value.length < 19 || (value.length < 40 && BigInt(value) >= least && BigInt(value) <= most);
}

function isIso(value: string, zoned: boolean): boolean {
  const [, month, day, hour, minute, second = "0", zone] = iso.exec(value) ?? [];
  if (month === undefined || (zone !== undefined) !== zoned) return false;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return false;
  const year = Number(value.slice(0, 4));
  return (
    Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= new Date(Date.UTC(year, Number(month), 0)).getUTCDate()
  );
}

/** How missing values are written; in a column of text only the empty one counts, because NA may be Namibia. */
export function isNullSpelling(value: string): boolean {
  if (value === "") return true;
  const first = value.charCodeAt(0);
  // Most values are numbers or longer, and this is asked for each of millions.
  if ((first >= 48 && first <= 57) || (value.length > 6 && first > 32)) return false;
  return /^(?:\s+|#?n\/?a!?|null|\(null\)|#null!|none|nil|nan|\\n|-{1,3}|\?|\.)$/i.test(value);
}
