import { dateUnits, typeName, type ArrowType } from "../arrow/type.ts";

/** The stored value that a text stands for, or why it stands for none; the reason begins with a verb: `has more than 2 decimals`. */
export type ValueParser = (text: string) => bigint | number | boolean | { readonly not: string };

/**
 * How texts are read as values of a type, exactly: integers and decimals in plain digits, `true` and `false`, floating-point numbers as
 * `NaN`, `Infinity` or with an exponent, too, dates and times by ISO 8601 (a blank may stand for the `T`; an offset or `Z` where the type has a
 * zone and only there). Integers stand for themselves, all else for what Arrow stores. Null for types without such a text.
 */
export function valueParser(type: ArrowType): ValueParser | null {
  const name = typeName({ type, children: [] });
  switch (type.kind) {
    case "bool":
      return (text) => (text === "true" ? true : text === "false" ? false : { not: `is not true or false` });
    case "int":
      return decimalParser(
        name,
        0,
        type.signed ? -(2n ** BigInt(type.bits - 1)) : 0n,
        2n ** BigInt(type.bits - (type.signed ? 1 : 0)) - 1n,
      );
    case "decimal": {
      const most = 10n ** BigInt(type.precision) - 1n;
      return type.scale < 0 ? null : decimalParser(name, type.scale, -most, most);
    }
    case "float":
      return (text) => parseFloatText(text, name, type.precision);
    case "date":
      return type.unit === dateUnits.day ? (text) => parseDate(text, name) : null;
    case "time":
      return (text) => parseTime(text, 3 * type.unit, name);
    case "timestamp":
      return (text) => parseInstant(text, 3 * type.unit, type.zone !== undefined, name);
    default:
      return null;
  }
}

function decimalParser(name: string, scale: number, least: bigint, most: bigint): ValueParser {
  return (text) => {
    const [all, sign, whole = "", fraction = ""] = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text) ?? [];
    if (all === undefined || whole + fraction === "") return { not: `is not a value of type ${name}` };
    if (/[^0]/.test(fraction.slice(scale))) return { not: scale === 0 ? "is not whole" : `has more than ${scale} decimals` };
    const digits = whole + fraction.slice(0, scale).padEnd(scale, "0");
    const value = BigInt(sign === "-" ? `-${digits}` : digits);
    return value < least || value > most ? { not: `is too large for ${name}` } : value;
  };
}

function parseFloatText(text: string, name: string, precision: number): number | { readonly not: string } {
  if (/^[+-]?Infinity$|^NaN$/.test(text)) return Number(text);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return { not: `is not a value of type ${name}` };
  const value = Number(text);
  const isTooLarge = !Number.isFinite(precision === 2 ? value : Math.fround(value));
  return isTooLarge ? { not: `is too large for ${name}` } : value;
}

const dayMs = 86_400_000;

function parseDate(text: string, name: string): bigint | { readonly not: string } {
  const [, date] = /^([+-]?\d{4,6}-\d\d-\d\d)(?:[T ]00:00(?::00(?:\.0+)?)?)?$/.exec(text) ?? [];
  const days = date === undefined ? null : daysOf(date);
  return days ?? { not: `is not a value of type ${name}` };
}

/** Days since 1970; null for a date that the calendar doesn't have. */
function daysOf(date: string): bigint | null {
  const [, year, month, day] = /^([+-]?\d+)-(\d\d)-(\d\d)$/.exec(date) ?? [];
  const time = new Date(0);
  time.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const isReal = time.getUTCMonth() + 1 === Number(month) && time.getUTCDate() === Number(day);
  return isReal ? BigInt(time.getTime() / dayMs) : null;
}

/** A count since midnight in 10^-`digits` seconds. */
function parseTime(text: string, digits: number, name: string): bigint | { readonly not: string } {
  const [, hours, minutes, seconds = "00", fraction = ""] = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?$/.exec(text) ?? [];
  if (hours === undefined || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59)
    return { not: `is not a value of type ${name}` };
  if (/[^0]/.test(fraction.slice(digits))) return { not: `is more exact than ${name}` };
  const whole = BigInt(hours) * 3600n + BigInt(minutes!) * 60n + BigInt(seconds);
  return whole * 10n ** BigInt(digits) + BigInt(fraction.slice(0, digits).padEnd(digits, "0") || "0");
}

function parseInstant(text: string, digits: number, hasZone: boolean, name: string): bigint | { readonly not: string } {
  const [, date, time = "00:00", zone] = /^([+-]?\d{4,6}-\d\d-\d\d)(?:[T ](\d\d:\d\d[\d:.]*))?(Z|[+-]\d\d:?\d\d)?$/.exec(text) ?? [];
  const days = date === undefined ? null : daysOf(date);
  if (days === null) return { not: `is not a value of type ${name}` };
  if ((zone !== undefined) !== hasZone) return { not: hasZone ? "has no zone or offset" : "has a zone or an offset" };
  const rest = parseTime(time, digits, name);
  if (typeof rest !== "bigint") return rest;
  const unit = 10n ** BigInt(digits);
  const count = days * 86_400n * unit + rest - offsetSeconds(zone) * unit;
  return count === BigInt.asIntN(64, count) ? count : { not: `is out of the range of ${name}` };
}

function offsetSeconds(zone: string | undefined): bigint {
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone ?? "") ?? [];
  if (hours === undefined) return 0n;
  const seconds = BigInt(hours) * 3600n + BigInt(minutes!) * 60n;
  return sign === "-" ? -seconds : seconds;
}
