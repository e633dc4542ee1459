import { isValid, widthOf, type Column } from "../../arrow/column.ts";
import { booleanAt, bytesReader, floatsOf, integersOf, wholeNumbers } from "../../arrow/scalar.ts";
import { jsonReader, textReader } from "../../arrow/text.ts";
import type { ArrowType } from "../../arrow/type.ts";
import type { Dialect } from "./dialect.ts";
import { divide64, putDigits, putFloat, putInteger, putInteger64, safeInteger, type Quotient } from "./numbers.ts";
import type { TextBuffer } from "./text-buffer.ts";
import { dateWriter, instantWriter, putTimeOfDay } from "./times.ts";

/** Writes the value of a row, which is there. */
export type PutCell = (row: number) => void;

const quote = 0x22;
const letterZ = 0x5a;

/**
 * Writes what `arrow/text.ts` makes of each value, `textReader` for CSV and `jsonReader` for JSON Lines, but straight into the buffer
 * where that is much faster: a string for each value costs several times as much as its bytes.
 */
export function cellWriter(column: Column, out: TextBuffer, dialect: Dialect): PutCell {
  if (column.field.dictionary !== undefined) return dictionaryCell(column, out, dialect);
  const { type } = column.field;
  switch (type.kind) {
    case "bool":
      return (row) => out.putAscii(booleanAt(column, row) ? "true" : "false");
    case "int":
      return integerCell(column, out);
    case "float":
      return floatCell(column, out, dialect);
    case "string":
    case "large_string":
    case "string_view":
      return stringCell(column, out, dialect);
    case "binary":
    case "large_binary":
    case "binary_view":
    case "fixed_size_binary":
      return hexCell(column, out, dialect);
    case "date":
    case "time":
    case "timestamp":
    case "decimal":
      return quotedCell(out, dialect, orText(column, out, fastCell(column, type, out)));
    case "duration":
      return quotedCell(
        out,
        dialect,
        orText(column, out, () => false),
      );
    case "null":
      return () => out.putAscii(dialect.null);
    default:
      return jsonCell(column, out, dialect);
  }
}

function integerCell(column: Column, out: TextBuffer): PutCell {
  const { type } = column.field;
  if (type.kind === "int" && type.bits === 64) {
    const halves = halvesOf(column);
    const { signed } = type;
    return (row) => putInteger64(out, halves, row, signed);
  }
  const values = integersOf(column) as Int32Array;
  return (row) => putInteger(out, values[row]!);
}

function floatCell(column: Column, out: TextBuffer, { quotesTexts }: Dialect): PutCell {
  const values = floatsOf(column);
  return (row) => {
    const value = values[row]!;
    const isQuoted = quotesTexts && !Number.isFinite(value);
    if (isQuoted) out.putByte(quote);
    putFloat(out, value);
    if (isQuoted) out.putByte(quote);
  };
}

function stringCell(column: Column, out: TextBuffer, dialect: Dialect): PutCell {
  if (column.field.type.kind !== "string") {
    const bytesAt = bytesReader(column);
    return (row) => {
      const bytes = bytesAt(row);
      dialect.putString(out, bytes, 0, bytes.length);
    };
  }
  const [first, data] = column.buffers as [Uint8Array, Uint8Array];
  const offsets = wholeNumbers(first, 32, true);
  return (row) => {
    const from = offsets[row] as number;
    const to = offsets[row + 1] as number;
    if (!(from >= 0 && from <= to && to <= data.length))
      throw new RangeError(`column "${column.field.name}" has a value outside of its message`);
    dialect.putString(out, data, from, to);
  };
}

const hexDigits = Buffer.from("0123456789abcdef", "latin1");

function hexCell(column: Column, out: TextBuffer, dialect: Dialect): PutCell {
  const bytesAt = bytesReader(column);
  const putHex = quotedCell(out, dialect, (row) => {
    const bytes = bytesAt(row);
    out.reserve(2 * bytes.length);
    for (let index = 0; index < bytes.length; index += 1) {
      const byte = bytes[index]!;
      out.bytes[out.at++] = hexDigits[byte >> 4]!;
      out.bytes[out.at++] = hexDigits[byte & 15]!;
    }
  });
  const empty = new Uint8Array(0);
  // No digits are an empty string, which is not null.
  return (row) => (bytesAt(row).length === 0 ? dialect.putString(out, empty, 0, 0) : putHex(row));
}

/** The values of a dictionary are strings for the most part; those that are written often may be slow to make. */
function dictionaryCell(column: Column, out: TextBuffer, dialect: Dialect): PutCell {
  const places = integersOf(column);
  const pieces = (column.dictionary ?? []).map((values) => ({ values, put: cellWriter(values, out, dialect) }));
  return (row) => {
    let place = Number(places[row]);
    for (const { values, put } of pieces) {
      if (place < values.length) return isValid(values, place) ? put(place) : out.putAscii(dialect.null);
      place -= values.length;
    }
    throw new RangeError(`column "${column.field.name}" points outside of its dictionary`);
  };
}

function jsonCell(column: Column, out: TextBuffer, dialect: Dialect): PutCell {
  const json = jsonReader(column);
  if (!dialect.jsonIsString) return (row) => out.putText(json(row));
  return (row) => {
    const bytes = Buffer.from(json(row));
    dialect.putString(out, bytes, 0, bytes.length);
  };
}

/** All of these texts are of ASCII and without quotation marks. */
function quotedCell(out: TextBuffer, { quotesTexts }: Dialect, put: PutCell): PutCell {
  if (!quotesTexts) return put;
  return (row) => {
    out.putByte(quote);
    put(row);
    out.putByte(quote);
  };
}

/** Writes a value, or says with false that it has written nothing, because it is one of the rare ones. */
type TryCell = (row: number) => boolean;

function orText(column: Column, out: TextBuffer, fast: TryCell): PutCell {
  const text = textReader(column);
  return (row) => {
    if (!fast(row)) out.putAscii(text(row) ?? "");
  };
}

function fastCell(column: Column, type: ArrowType, out: TextBuffer): TryCell {
  switch (type.kind) {
    case "date":
      return type.unit === 0 ? dayCell(column, out) : instantCell(column, { unit: 1, isUtc: false }, out);
    case "time":
      return timeCell(column, type.unit, out);
    case "timestamp":
      return instantCell(column, { unit: type.unit, isUtc: type.zone !== undefined }, out);
    case "decimal":
      return decimalCell(column, type.scale, out);
    default:
      return () => false;
  }
}

function dayCell(column: Column, out: TextBuffer): TryCell {
  const days = integersOf(column) as Int32Array;
  const put = dateWriter();
  return (row) => put(out, days[row]!);
}

function instantCell(column: Column, { unit, isUtc }: { readonly unit: number; readonly isUtc: boolean }, out: TextBuffer): TryCell {
  const halves = halvesOf(column);
  const put = instantWriter(3 * unit);
  const perSecond = 10 ** (3 * unit);
  const quotient: Quotient = { whole: 0, rest: 0 };
  return (row) => {
    divide64(halves, row, perSecond, quotient);
    if (!put(out, quotient.whole, quotient.rest)) return false;
    if (isUtc) out.putByte(letterZ);
    return true;
  };
}

const daySeconds = 86_400;

function timeCell(column: Column, unit: number, out: TextBuffer): TryCell {
  const perSecond = 10 ** (3 * unit);
  const narrow = unit < 2 ? (integersOf(column) as Int32Array) : undefined;
  const halves = unit < 2 ? undefined : halvesOf(column);
  return (row) => {
    const count = narrow?.[row] ?? safeInteger(halves!, row, true);
    if (!(count >= 0 && count < daySeconds * perSecond)) return false;
    const seconds = Math.floor(count / perSecond);
    putTimeOfDay(out, seconds, count - seconds * perSecond, 3 * unit);
    return true;
  };
}

/** Of numbers that are safe integers without their point, and with at most nine digits after it. */
function decimalCell(column: Column, scale: number, out: TextBuffer): TryCell {
  if (scale < 0 || scale > 9) return () => false;
  const halves = halvesOf(column);
  const words = widthOf(column.field) / 4;
  const one = 10 ** scale;
  return (row) => {
    const at = row * words;
    const value = words === 1 ? halves[at]! : safeAt(halves, at, words);
    if (Number.isNaN(value)) return false;
    const magnitude = Math.abs(value);
    const whole = Math.floor(magnitude / one);
    if (value < 0) out.putByte(0x2d);
    putInteger(out, whole);
    if (scale === 0) return true;
    out.putByte(0x2e);
    putDigits(out, magnitude - whole * one, scale);
    return true;
  };
}

/** NaN unless the words above the lowest two only repeat their sign. */
function safeAt(halves: Int32Array, at: number, words: number): number {
  const sign = halves[at + 1]! >> 31;
  for (let word = 2; word < words; word += 1) if (halves[at + word] !== sign) return NaN;
  return safeInteger(halves, at / 2, true);
}

function halvesOf({ buffers }: Column): Int32Array {
  return wholeNumbers(buffers[0]!, 32, true) as Int32Array;
}
