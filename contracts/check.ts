import { isAscii } from "node:buffer";
import { isValid, widthOf, type Column } from "../arrow/column.ts";
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

/** Finds the rows whose value was there before; made for each column of each file. */
export type UniqueCheck = (field: ArrowField) => Check;

/** The checks of one column, for one file. Throws WrongUse for one that its type can't have. */
export function checksOf(
  field: ArrowField,
  nullable: boolean,
  checks: ColumnChecks = {},
  uniqueOf: UniqueCheck = uniqueCheck,
): readonly Check[] {
  const { min, max, pattern, oneOf, unique } = checks;
  const valueChecks = [
    ...(min === undefined && max === undefined ? [] : [rangeCheck(field, min, max)]),
    ...(pattern === undefined ? [] : [patternCheck(field, pattern)]),
    ...(oneOf === undefined ? [] : [setCheck(field, oneOf)]),
  ];
  return [
    ...(nullable ? [] : [notNullCheck]),
    ...(field.dictionary === undefined ? valueChecks : valueChecks.map(throughDictionary)),
    ...(unique === true ? [uniqueOf(field)] : []),
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
  const scan = rangeScan(field, boundOf(field, min), boundOf(field, max));
  const words = [...(min === undefined ? [] : [`below ${min}`]), ...(max === undefined ? [] : [`above ${max}`])].join(" or ");
  return (column, refuse) => {
    if (column.length === 0) return;
    scan(column, (row) => {
      if (isValid(column, row)) refuse(row, `${textReader(column)(row)} is ${words}`);
    });
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

/** Tells the rows outside of a range, whether there is a value in them or not. */
type Scan = (column: Column, found: (row: number) => void) => void;

/**
 * Each kind of number has a loop of its own, because one loop for several is some five times as slow; BigInts are slower still. Numbers of 64 and
 * 128 bits are compared as the nearest floating-point number, which never comes to the other side of a whole number below 2^53.
 */
function rangeScan(field: ArrowField, least: bigint | number | undefined, most: bigint | number | undefined): Scan {
  const { type } = field;
  const [low, high] = [Number(least ?? -Infinity), Number(most ?? Infinity)];
  if (type.kind === "float") return (column, found) => scanFloats(floatsOf(column), low, high, found);
  const areSafe = [low, high].every((bound) => !Number.isFinite(bound) || Number.isSafeInteger(bound));
  const bits = widthOf(field) * 8;
  const isUnsigned = type.kind === "int" && !type.signed;
  if (areSafe && bits === 64 && !isUnsigned) return (column, found) => scanLongs(wordsOf(column, 2), low, high, found);
  if (areSafe && bits === 128) return (column, found) => scanDecimals(wordsOf(column, 4), low, high, found);
  if (areSafe && bits === 32 && !isUnsigned) return (column, found) => scanIntegers(wordsOf(column, 1).high, low, high, found);
  const value = type.kind === "decimal" ? decimalAt : (column: Column, row: number) => BigInt(integersOf(column)[row]!);
  const [from, to] = [least === undefined ? null : BigInt(least), most === undefined ? null : BigInt(most)];
  return (column, found) => {
    for (let row = 0; row < column.length; row += 1) {
      const each = value(column, row);
      if ((from !== null && each < from) || (to !== null && each > to)) found(row);
    }
  };
}

interface Words {
  readonly low: Uint32Array;
  readonly high: Int32Array;
}

/** The same words without and with a sign. */
function wordsOf({ buffers, length }: Column, words: number): Words {
  const { buffer, byteOffset } = buffers[0]!;
  return { low: new Uint32Array(buffer, byteOffset, words * length), high: new Int32Array(buffer, byteOffset, words * length) };
}

/** NaN is in no range. */
function scanFloats(values: Float32Array | Float64Array, least: number, most: number, found: (row: number) => void): void {
  for (let row = 0; row < values.length; row += 1) if (!(values[row]! >= least && values[row]! <= most)) found(row);
}

function scanIntegers(values: Int32Array, least: number, most: number, found: (row: number) => void): void {
  for (let row = 0; row < values.length; row += 1) if (values[row]! < least || values[row]! > most) found(row);
}

function scanLongs({ low, high }: Words, least: number, most: number, found: (row: number) => void): void {
  for (let at = 0; at < low.length; at += 2) {
    const value = high[at + 1]! * 4294967296 + low[at]!;
    if (value < least || value > most) found(at >> 1);
  }
}

function scanDecimals({ low, high }: Words, least: number, most: number, found: (row: number) => void): void {
  for (let at = 0; at < low.length; at += 4) {
    const second = high[at + 1]!;
    const sign = second >> 31;
    const isShort = high[at + 2] === sign && high[at + 3] === sign;
    const value = isShort ? second * 4294967296 + low[at]! : high[at + 3]! < 0 ? -Infinity : Infinity;
    if (value < least || value > most) found(at >> 2);
  }
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
  const shown =
    oneOf.length > 5 ? `one of ${oneOf.length} values` : `${oneOf.length === 1 ? "" : "one of "}${oneOf.map(quoted).join(", ")}`;
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
    if (end > data.length) throw new RangeError(`column "${column.field.name}" has a value outside of its message`);
    for (let at = ends[step * row]!; at < end; at += 1) state = next[(state << 8) | data[at]!]!;
    if (accepts[state] === 0 && isValid(column, row)) found(row);
  }
  return true;
}

/** Compares each value with all that came before. */
export function uniqueCheck(field: ArrowField): Check {
  if (field.children.length > 0 || field.type.kind === "null" || field.type.kind === "union")
    throw new WrongUse(`column ${field.name} of type ${typeName(field)} can't be unique`);
  const distinct = createDistinct(field.name);
  return (column, refuse) => {
    if (column.length > 0) distinct.add(column, (row) => refuseRepeated(column, row, refuse));
  };
}

export function refuseRepeated(column: Column, row: number, refuse: Refuse): void {
  refuse(row, `${quoted(textReader(column)(row) ?? "")} is there a second time`, true);
}
