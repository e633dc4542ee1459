import { isAscii } from "node:buffer";
import { isValid, type Column } from "../arrow/column.ts";
import { decimalAt, dictionaryReader, floatsOf, integersOf, wholeNumbers } from "../arrow/scalar.ts";
import { textReader } from "../arrow/text.ts";
import { typeName, type ArrowField } from "../arrow/type.ts";
import type { ColumnChecks } from "../domain/contract.ts";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { patternAutomaton, setAutomaton, type Automaton } from "./automaton.ts";
import { quoted, type Refuse } from "./cast.ts";
import { valueParser } from "./parse-value.ts";
import { createDistinct } from "./distinct.ts";

/** Finds the rows of a batch whose value breaks a rule. Nulls break none but that there be none. */
export type Check = (column: Column, refuse: Refuse) => void;

/** The checks of one column, for one file. Throws WrongUse for one that its type can't have. */
export function checksOf(field: ArrowField, nullable: boolean, checks: ColumnChecks = {}): readonly Check[] {
  const { min, max, pattern, oneOf, unique } = checks;
  const valueChecks = [
    ...(min === undefined && max === undefined ? [] : [rangeCheck(field, min, max)]),
    ...(pattern === undefined ? [] : [patternCheck(field, pattern)]),
    ...(oneOf === undefined ? [] : [setCheck(field, oneOf)]),
  ];
  return [
    ...(nullable ? [] : [notNullCheck]),
    ...(field.dictionary === undefined ? valueChecks : valueChecks.map(throughDictionary)),
    ...(unique === true ? [uniqueCheck(field)] : []),
  ];
}

const notNullCheck: Check = (column, refuse) => {
  const { validity, length, field } = column;
  if (field.type.kind === "null" || field.dictionary !== undefined) {
    const text = field.type.kind === "null" ? () => null : dictionaryReader(column);
    for (let row = 0; row < length; row += 1) if (!isValid(column, row) || text(row) === null) refuse(row, "is null");
    return;
  }
  if (validity === null) return;
  for (let row = 0; row < length; row += 1) {
    if ((row & 7) === 0 && validity[row >> 3] === 0xff) row += 7;
    else if (((validity[row >> 3]! >> (row & 7)) & 1) === 0) refuse(row, "is null");
  }
};

/** Checks each value of the dictionary once, then where the rows point. */
function throughDictionary(check: Check): Check {
  return (column, refuse) => {
    const reasons = new Map<Column, Map<number, string>>();
    for (const values of column.dictionary ?? []) {
      const found = new Map<number, string>();
      check(values, (row, reason) => found.set(row, reason));
      if (found.size > 0) reasons.set(values, found);
    }
    if (reasons.size === 0) return;
    const place = dictionaryReader(column);
    for (let row = 0; row < column.length; row += 1) {
      const found = isValid(column, row) ? place(row) : null;
      const reason = found === null ? undefined : reasons.get(found.values)?.get(found.row);
      if (reason !== undefined) refuse(row, reason);
    }
  };
}

function rangeCheck(field: ArrowField, min: string | undefined, max: string | undefined): Check {
  const [least, most] = [boundOf(field, min), boundOf(field, max)];
  const isOutside = outsideReader(field, least, most);
  const words = [...(min === undefined ? [] : [`below ${min}`]), ...(max === undefined ? [] : [`above ${max}`])].join(" or ");
  return (column, refuse) => {
    const outside = isOutside(column);
    const { length } = column;
    for (let row = 0; row < length; row += 1)
      if (outside(row) && isValid(column, row)) refuse(row, `${textReader(column)(row)} is ${words}`);
  };
}

function boundOf(field: ArrowField, text: string | undefined): bigint | number | undefined {
  const kinds = ["int", "decimal", "float", "date", "time", "timestamp"];
  const parse = kinds.includes(field.type.kind) ? valueParser(field.type) : null;
  if (text === undefined) return undefined;
  const bound = parse?.(text) ?? { not: "can't be compared" };
  if (typeof bound === "object" || typeof bound === "boolean")
    throw new WrongUse(
      `column ${field.name} of type ${typeName(field)} can't have the bound ${quoted(text)}${parse === null ? "" : `, which ${(bound as { not: string }).not}`}`,
      "Numbers, dates and times have bounds, written as their values: 0, 12.50, 2026-01-31",
    );
  return bound;
}

type Outside = (column: Column) => (row: number) => boolean;

/** Comparing plain numbers is some ten times as fast as BigInts; two words as one number are exact where it matters, near a safe bound. */
function outsideReader(field: ArrowField, least: bigint | number | undefined, most: bigint | number | undefined): Outside {
  const [low, high] = [Number(least ?? -Infinity), Number(most ?? Infinity)];
  const areSafe = [low, high].every((bound) => !Number.isFinite(bound) || Number.isSafeInteger(bound) || field.type.kind === "float");
  const width = field.type.kind === "decimal" ? field.type.bits : 0;
  if (field.type.kind === "float")
    return (column) => {
      const values = floatsOf(column);
      // Also for NaN, which is in no range.
      return (row) => !(values[row]! >= low && values[row]! <= high);
    };
  if (areSafe && width <= 128) {
    return (column) => {
      const values = width > 64 ? null : width === 0 || width === 32 ? plainNumbers(column) : longNumbers(column, 2);
      if (values !== null) return (row) => values(row) < low || values(row) > high;
      const long = longNumbers(column, 4);
      return (row) => long(row) < low || long(row) > high;
    };
  }
  return (column) => {
    const value = field.type.kind === "decimal" ? decimalAt : (of: Column, row: number) => BigInt(integersOf(of)[row]!);
    return (row) => {
      const each = value(column, row);
      return (least !== undefined && each < BigInt(least)) || (most !== undefined && each > BigInt(most));
    };
  };
}

function plainNumbers(column: Column): (row: number) => number {
  if (column.field.type.kind === "decimal") {
    const [buffer] = column.buffers as [Uint8Array];
    const values = new Int32Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, column.length);
    return (row) => values[row]!;
  }
  const values = integersOf(column);
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) return longNumbers(column, 2, values instanceof BigUint64Array);
  return (row) => values[row]!;
}

/** Numbers of 64 or 128 bits as the nearest floating-point number, which never comes to the other side of a whole number below 2^53. */
function longNumbers({ buffers, length }: Column, words: 2 | 4, unsigned = false): (row: number) => number {
  const [buffer] = buffers as [Uint8Array];
  const low = new Uint32Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, words * length);
  const high = new Int32Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, words * length);
  if (unsigned) return (row) => low[2 * row + 1]! * 4294967296 + low[2 * row]!;
  if (words === 2) return (row) => high[2 * row + 1]! * 4294967296 + low[2 * row]!;
  return (row) => {
    const at = 4 * row;
    const sign = high[at + 1]! >> 31;
    if (high[at + 2] === sign && high[at + 3] === sign) return high[at + 1]! * 4294967296 + low[at]!;
    return high[at + 3]! < 0 ? -Infinity : Infinity;
  };
}

const textKinds: ReadonlySet<string> = new Set(["string", "large_string", "string_view"]);

function patternCheck(field: ArrowField, pattern: string): Check {
  if (!textKinds.has(field.type.kind))
    throw new WrongUse(
      `column ${field.name} of type ${typeName(field)} can't have a pattern`,
      "Patterns are for texts; give numbers a range",
    );
  let expression: RegExp;
  try {
    expression = new RegExp(`^(?:${pattern})$`, "u");
  } catch (error) {
    throw new WrongUse(
      `the pattern of column ${field.name} is no regular expression: ${messageOf(error)}`,
      "Write it like [A-Z]{3}-[0-9]+",
    );
  }
  return eachText({ fits: (text) => expression.test(text), automaton: patternAutomaton(pattern), words: `does not match ${pattern}` });
}

function setCheck(field: ArrowField, oneOf: readonly string[]): Check {
  const allowed = new Set(oneOf);
  const shown = oneOf.length > 5 ? `one of ${oneOf.length} values` : oneOf.map(quoted).join(", ");
  if (field.children.length > 0 || field.type.kind === "null")
    throw new WrongUse(`column ${field.name} of type ${typeName(field)} can't have a set of values`);
  return eachText({ fits: (text) => allowed.has(text), automaton: setAutomaton(oneOf), words: `is not ${shown}` });
}

interface TextRule {
  readonly fits: (text: string) => boolean;
  /** Says the same of ASCII texts; null where there is none. */
  readonly automaton: Automaton | null;
  readonly words: string;
}

function eachText({ fits, automaton, words }: TextRule): Check {
  return (column, refuse) => {
    if (automaton !== null && eachAscii(column, automaton, (row) => refuse(row, `${quoted(textReader(column)(row)!)} ${words}`))) return;
    const text = textReader(column);
    for (let row = 0; row < column.length; row += 1) {
      if (!isValid(column, row)) continue;
      const value = text(row)!;
      if (!fits(value)) refuse(row, `${quoted(value)} ${words}`);
    }
  };
}

/** Runs the automaton over the bytes where they are; false, with nothing done, where they are not all ASCII or not one after the other. */
function eachAscii(column: Column, { next, accepts }: Automaton, found: (row: number) => void): boolean {
  const { kind } = column.field.type;
  const [first, data] = column.buffers as [Uint8Array, Uint8Array];
  if ((kind !== "string" && kind !== "large_string") || column.length === 0 || !isAscii(data)) return false;
  const bits = kind === "string" ? 32 : 64;
  const offsets = wholeNumbers(first, bits, true);
  // 64-bit offsets below 2^32, as those of a message are, by their lower halves.
  const ends = bits === 32 ? (offsets as Int32Array) : new Int32Array(offsets.buffer, offsets.byteOffset, 2 * offsets.length);
  const step = bits / 32;
  const { length } = column;
  for (let row = 0; row < length; row += 1) {
    let state = 1;
    const end = ends[step * (row + 1)]!;
    for (let at = ends[step * row]!; at < end; at += 1) state = next[(state << 8) | data[at]!]!;
    if (accepts[state] === 0 && isValid(column, row)) found(row);
  }
  return true;
}

function uniqueCheck(field: ArrowField): Check {
  if (field.children.length > 0 || field.type.kind === "null" || field.type.kind === "union")
    throw new WrongUse(`column ${field.name} of type ${typeName(field)} can't be unique`);
  const distinct = createDistinct(field.name);
  return (column, refuse) => {
    const add = distinct.reader(column);
    for (let row = 0; row < column.length; row += 1)
      if (isValid(column, row) && !add(row)) refuse(row, `${quoted(textReader(column)(row) ?? "")} is there a second time`);
  };
}
