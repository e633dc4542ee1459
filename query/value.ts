import { type DuckDBType, DuckDBTypeId, type DuckDBValue } from "@duckdb/node-api";
import { dateText, decimalText, instantText, timeText } from "../arrow/text.ts";

/** How the values of a column are shown. */
export interface ValueReader {
  /** Null for null. */
  readonly text: (value: DuckDBValue) => string | null;
  /** As a part of a JSON document. */
  readonly json: (value: DuckDBValue) => string;
}

/**
 * Values exactly, in the forms of `arrow/text.ts`: whole numbers and decimals with all digits, the shortest digits that give a floating-point
 * number again, ISO 8601 dates and times without trailing zeros, in UTC where they have a zone, bytes as hex digits, nested values as JSON.
 * In JSON whole numbers beyond 2^53, decimals, `NaN` and infinities are strings, because programs would change them.
 */
export function valueReader(type: DuckDBType): ValueReader {
  const { text, json } = plainReader(type);
  return {
    text: (value) => (value === null ? null : text(value)),
    json: (value) => (value === null ? "null" : json(value)),
  };
}

interface PlainReader {
  readonly text: (value: never) => string;
  readonly json: (value: never) => string;
}

function plainReader(type: DuckDBType): { text: (value: DuckDBValue) => string; json: (value: DuckDBValue) => string } {
  return (nestedReader(type) ?? numberReader(type) ?? asString(textOf(type))) as {
    text: (value: DuckDBValue) => string;
    json: (value: DuckDBValue) => string;
  };
}

function asString(text: (value: never) => string): PlainReader {
  return { text, json: (value: never) => JSON.stringify(text(value)) };
}

function numberReader(type: DuckDBType): PlainReader | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
    case DuckDBTypeId.TINYINT:
    case DuckDBTypeId.SMALLINT:
    case DuckDBTypeId.INTEGER:
    case DuckDBTypeId.UTINYINT:
    case DuckDBTypeId.USMALLINT:
    case DuckDBTypeId.UINTEGER:
      return { text: String, json: String };
    case DuckDBTypeId.BIGINT:
    case DuckDBTypeId.UBIGINT:
    case DuckDBTypeId.HUGEINT:
    case DuckDBTypeId.UHUGEINT:
    case DuckDBTypeId.BIGNUM:
      return { text: String, json: (value: bigint) => (isSafe(value) ? String(value) : `"${value}"`) };
    case DuckDBTypeId.FLOAT:
      return floatReader(shortestFloat);
    case DuckDBTypeId.DOUBLE:
      return floatReader(String);
    default:
      return undefined;
  }
}

function isSafe(value: bigint): boolean {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER);
}

function floatReader(digits: (value: number) => string): PlainReader {
  const text = (value: number): string => (Object.is(value, -0) ? "-0" : digits(value));
  return { text, json: (value: number) => (Number.isFinite(value) ? text(value) : `"${text(value)}"`) };
}

/** Nine digits tell all floats apart; most need fewer. */
function shortestFloat(value: number): string {
  for (let digits = 6; digits < 9; digits += 1) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return String(shorter);
  }
  return Number.isFinite(value) ? String(Number(value.toPrecision(9))) : String(value);
}

/** Largest and smallest values of a type stand for infinities. */
const endOfTime = 2n ** 63n - 1n;
const lastDay = 2 ** 31 - 1;

function textOf(type: DuckDBType): (value: never) => string {
  switch (type.typeId) {
    case DuckDBTypeId.DECIMAL: {
      const { scale } = type;
      return (value: { readonly value: bigint }) => decimalText(value.value, scale);
    }
    case DuckDBTypeId.BLOB:
      return ({ bytes }: { readonly bytes: Uint8Array }) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
    case DuckDBTypeId.DATE:
      return ({ days }: { readonly days: number }) => (Math.abs(days) === lastDay ? infinity(days) : dateText(BigInt(days)));
    case DuckDBTypeId.TIME:
      return ({ micros }: { readonly micros: bigint }) => trimmed(timeText(micros, 6));
    case DuckDBTypeId.TIME_NS:
      return ({ nanos }: { readonly nanos: bigint }) => trimmed(timeText(nanos, 9));
    case DuckDBTypeId.TIMESTAMP_S:
      return ({ seconds }: { readonly seconds: bigint }) => instant(seconds, 0);
    case DuckDBTypeId.TIMESTAMP_MS:
      return ({ millis }: { readonly millis: bigint }) => instant(millis, 3);
    case DuckDBTypeId.TIMESTAMP:
      return ({ micros }: { readonly micros: bigint }) => instant(micros, 6);
    case DuckDBTypeId.TIMESTAMP_NS:
      return ({ nanos }: { readonly nanos: bigint }) => instant(nanos, 9);
    case DuckDBTypeId.TIMESTAMP_TZ:
      return ({ micros }: { readonly micros: bigint }) => `${instant(micros, 6)}${abs(micros) === endOfTime ? "" : "Z"}`;
    default:
      return String;
  }
}

function instant(count: bigint, digits: number): string {
  return abs(count) === endOfTime ? infinity(count) : trimmed(instantText(count, digits));
}

function infinity(value: bigint | number): string {
  return value < 0 ? "-infinity" : "infinity";
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function trimmed(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function nestedReader(type: DuckDBType): PlainReader | undefined {
  if (type.alias === "JSON") return { text: (value: string) => value, json: safeJson };
  const json = nestedJson(type);
  return json === undefined ? undefined : { text: json, json };
}

/** JSON in which whole numbers beyond 2^53 are strings, as they are everywhere else. */
function safeJson(text: string): string {
  const beyond = (_key: string, value: unknown, { source }: { readonly source?: string } = {}): unknown =>
    typeof value === "number" && source !== undefined && Math.abs(value) > Number.MAX_SAFE_INTEGER && /^-?\d+$/.test(source)
      ? source
      : value;
  return JSON.stringify(JSON.parse(text, beyond));
}

function nestedJson(type: DuckDBType): ((value: never) => string) | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY: {
      const item = valueReader(type.valueType);
      return ({ items }: { readonly items: readonly DuckDBValue[] }) => `[${items.map(item.json).join(",")}]`;
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type;
      const readers = entryTypes.map(valueReader);
      return ({ entries }: { readonly entries: Readonly<Record<string, DuckDBValue>> }) =>
        `{${entryNames.map((name, i) => `${JSON.stringify(name)}:${readers[i]!.json(entries[name] ?? null)}`).join(",")}}`;
    }
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type;
      const [key, value] = [valueReader(keyType), valueReader(valueType)];
      return ({ entries }: { readonly entries: readonly { readonly key: DuckDBValue; readonly value: DuckDBValue }[] }) =>
        `[${entries.map((entry) => `{"key":${key.json(entry.key)},"value":${value.json(entry.value)}}`).join(",")}]`;
    }
    case DuckDBTypeId.UNION: {
      return ({ tag, value }: { readonly tag: string; readonly value: DuckDBValue }) => valueReader(type.memberTypeForTag(tag)).json(value);
    }
    default:
      return undefined;
  }
}
