import { isUtf8 } from "node:buffer";
import { TerminalFailure } from "../domain/failure.ts";
import { isValid, type Column } from "./column.ts";
import { intervalReader, runReader, unionReader } from "./uncommon.ts";
import { booleanAt, bytesReader, decimalAt, dictionaryReader, floatsOf, integersOf, rangeReader } from "./scalar.ts";
import { dateUnits, typeName, type ArrowField } from "./type.ts";

/** The text of one value of a column; null where the value is null. */
export type TextAt = (row: number) => string | null;

/**
 * Values as text, exactly: integers and decimals with all their digits, the shortest digits that give a floating-point number again
 * (`NaN`, `Infinity`), ISO 8601 dates, times and durations with the digits of their unit, timestamps with a zone in UTC, bytes as hex
 * digits. Nested values are JSON as from `jsonReader`; a union's value is an object with the name of its kind.
 */
export function textReader(column: Column): TextAt {
  const plain = plainReader(column);
  return (row) => (isValid(column, row) ? plain(row) : null);
}

/**
 * Values as JSON: numbers, booleans and `null`; everything else is the string of `textReader`, as are decimals and the numbers that JSON
 * doesn't have. Lists are arrays, structs objects, and maps arrays of `{"key": …, "value": …}`.
 */
export function jsonReader(column: Column): (row: number) => string {
  const json = jsonOf(column);
  return (row) => (isValid(column, row) ? json(row) : "null");
}

function plainReader(column: Column): TextAt {
  const { field } = column;
  if (field.dictionary !== undefined) return throughDictionary(column, plainReader);
  const { type } = field;
  switch (type.kind) {
    case "null":
      return () => null;
    case "bool":
      return (row) => (booleanAt(column, row) ? "true" : "false");
    case "int": {
      const values = integersOf(column);
      return (row) => String(values[row]);
    }
    case "float": {
      const values = floatsOf(column);
      return (row) => (Object.is(values[row], -0) ? "-0" : String(values[row]));
    }
    case "decimal":
      return (row) => decimalText(decimalAt(column, row), type.scale);
    case "date": {
      const values = integersOf(column);
      return type.unit === dateUnits.day ? (row) => dateText(BigInt(values[row]!)) : (row) => instantText(BigInt(values[row]!), 3);
    }
    case "time": {
      const values = integersOf(column);
      return (row) => timeText(BigInt(values[row]!), 3 * type.unit);
    }
    case "timestamp": {
      const values = integersOf(column);
      const suffix = type.zone === undefined ? "" : "Z";
      return (row) => `${instantText(BigInt(values[row]!), 3 * type.unit)}${suffix}`;
    }
    case "duration": {
      const values = integersOf(column);
      return (row) => `PT${decimalText(BigInt(values[row]!), 3 * type.unit)}S`;
    }
    case "string":
    case "large_string":
    case "string_view": {
      const bytes = bytesReader(column);
      return (row) => utf8(bytes(row), field);
    }
    case "binary":
    case "large_binary":
    case "binary_view":
    case "fixed_size_binary": {
      const bytes = bytesReader(column);
      return (row) => hex(bytes(row));
    }
    case "interval": {
      const parts = intervalReader(column);
      return (row) => {
        const { months, days, time, digits } = parts(row);
        return `P${months}M${days}DT${decimalText(time, digits)}S`;
      };
    }
    case "run_end_encoded":
      return throughRuns(column, textReader);
    default:
      return jsonOf(column);
  }
}

function jsonOf(column: Column): (row: number) => string {
  const { field, children } = column;
  if (field.dictionary !== undefined) {
    const text = throughDictionary(column, jsonOf);
    return (row) => text(row) ?? "null";
  }
  switch (field.type.kind) {
    case "null":
      return () => "null";
    case "bool":
    case "int":
      return plainReader(column) as (row: number) => string;
    case "float": {
      const values = floatsOf(column);
      const text = plainReader(column);
      return (row) => (Number.isFinite(values[row]) ? text(row)! : `"${text(row)}"`);
    }
    case "struct": {
      const members = children.map((child) => [JSON.stringify(child.field.name), jsonReader(child)] as const);
      return (row) => `{${members.map(([name, json]) => `${name}:${json(row)}`).join(",")}}`;
    }
    case "list":
    case "large_list":
    case "list_view":
    case "large_list_view":
    case "fixed_size_list":
      return listReader(column, jsonReader(children[0]!));
    case "map": {
      const [key, value] = children[0]!.children.map(jsonReader) as [(row: number) => string, (row: number) => string];
      return listReader(column, (row) => `{"key":${key(row)},"value":${value(row)}}`);
    }
    case "union": {
      const chosen = unionReader(column);
      const members = children.map((child) => [JSON.stringify(child.field.name), jsonReader(child)] as const);
      return (row) => {
        const { child, at } = chosen(row);
        const [name, json] = members[child]!;
        return `{${name}:${json(at)}}`;
      };
    }
    case "run_end_encoded": {
      const json = throughRuns(column, jsonReader);
      return (row) => json(row) ?? "null";
    }
    default: {
      const text = plainReader(column);
      return (row) => JSON.stringify(text(row));
    }
  }
}

function listReader(column: Column, item: (row: number) => string): (row: number) => string {
  const range = rangeReader(column);
  return (row) => {
    const [from, to] = range(row);
    return `[${Array.from({ length: to - from }, (_, index) => item(from + index)).join(",")}]`;
  };
}

function throughRuns(column: Column, readerOf: (values: Column) => TextAt): TextAt {
  const place = runReader(column);
  const text = readerOf(column.children[1]!);
  return (row) => text(place(row));
}

function throughDictionary(column: Column, readerOf: (values: Column) => TextAt): TextAt {
  const place = dictionaryReader(column);
  const readers = new Map((column.dictionary ?? []).map((values) => [values, readerOf(values)] as const));
  return (row) => {
    const found = place(row);
    return found === null ? null : readers.get(found.values)!(found.row);
  };
}

/** `12345` with two digits after the point is `123.45`. */
export function decimalText(unscaled: bigint, scale: number): string {
  if (scale === 0) return String(unscaled);
  if (scale < 0) return String(unscaled * 10n ** BigInt(-scale));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** Years beyond four digits have a sign and six digits or more, as ISO 8601 has it. */
export function dateText(days: bigint): string {
  const { year, month, day } = civil(days);
  const digits = String(year < 0n ? -year : year);
  const sign = year < 0n ? "-" : year > 9999n ? "+" : "";
  return `${sign}${digits.padStart(sign === "" ? 4 : 6, "0")}-${two(month)}-${two(day)}`;
}

/** A count of seconds of the day in 10^-`digits`. */
export function timeText(count: bigint, digits: number): string {
  const unit = 10n ** BigInt(digits);
  const seconds = count / unit;
  const fraction = digits === 0 ? "" : `.${String(count % unit).padStart(digits, "0")}`;
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}${fraction}`;
}

/** A count since 1970 in 10^-`digits` seconds. */
export function instantText(count: bigint, digits: number): string {
  const perDay = 86_400n * 10n ** BigInt(digits);
  const rest = ((count % perDay) + perDay) % perDay;
  return `${dateText((count - rest) / perDay)}T${timeText(rest, digits)}`;
}

/** Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days. */
function civil(days: bigint): { readonly year: bigint; readonly month: bigint; readonly day: bigint } {
  const shifted = days + 719_468n;
  const era = (shifted >= 0n ? shifted : shifted - 146_096n) / 146_097n;
  const dayOfEra = shifted - era * 146_097n;
  const yearOfEra = (dayOfEra - dayOfEra / 1460n + dayOfEra / 36_524n - dayOfEra / 146_096n) / 365n;
  const dayOfYear = dayOfEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n);
  const shiftedMonth = (5n * dayOfYear + 2n) / 153n;
  const month = shiftedMonth < 10n ? shiftedMonth + 3n : shiftedMonth - 9n;
  return { year: yearOfEra + era * 400n + (month <= 2n ? 1n : 0n), month, day: dayOfYear - (153n * shiftedMonth + 2n) / 5n + 1n };
}

function two(value: bigint): string {
  return String(value).padStart(2, "0");
}

/** Throws TerminalFailure SINK_VALUE where a decoder would put something else in the place of what it can't read. */
function utf8(bytes: Uint8Array, field: ArrowField): string {
  if (!isUtf8(bytes))
    throw new TerminalFailure({
      code: "SINK_VALUE",
      message: `column "${field.name}" of type ${typeName(field)} holds bytes that are no UTF-8`,
      hint: "Decode the text in the plugin, or yield it as binary",
      data: { column: field.name },
    });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
