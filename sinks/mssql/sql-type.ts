import type { TerminalFailure } from "../../domain/failure.ts";
import { dateUnits, type ArrowField } from "../../arrow/type.ts";
import { typeRefused } from "../columns.ts";
import { checkInJson } from "../tables/columns.ts";

/** The type of a column in SQL Server. */
export type SqlType =
  | { readonly base: "bit" | "tinyint" | "smallint" | "int" | "bigint" | "real" | "float" | "date" | "nvarchar" | "varbinary" }
  | { readonly base: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly base: "time" | "datetime2" | "datetimeoffset"; readonly scale: number }
  | { readonly base: "binary"; readonly length: number };

/** Source: SQL Server, "decimal and numeric". */
const digitsMax = 38;
/** Longer ones are `varbinary(max)`. */
const binaryBytesMax = 8000;
/** Digits after the second of Arrow's units; SQL Server has seven at most. */
const scales = [0, 3, 6, 7] as const;

/** As T-SQL declares it. Texts and binaries are without a limit. */
export function declaration(type: SqlType): string {
  switch (type.base) {
    case "nvarchar":
    case "varbinary":
      return `${type.base}(max)`;
    case "decimal":
      return `decimal(${type.precision},${type.scale})`;
    case "time":
    case "datetime2":
    case "datetimeoffset":
      return `${type.base}(${type.scale})`;
    case "binary":
      return `binary(${type.length})`;
    default:
      return type.base;
  }
}

/**
 * How a column is kept; docs/sinks.md has the table. Dictionaries are their values, nested values JSON. Throws TerminalFailure SINK_TYPE that
 * names the column.
 */
export function sqlTypeOf(field: ArrowField): SqlType {
  const { type } = field;
  switch (type.kind) {
    case "bool":
      return { base: "bit" };
    case "int":
      return integerType(type.bits, type.signed);
    case "float":
      return { base: type.precision === 2 ? "float" : "real" };
    case "decimal":
      return decimalType(field, type.precision, type.scale);
    case "date":
      return { base: "date" };
    case "time":
      return { base: "time", scale: scales[type.unit] ?? 7 };
    case "timestamp":
      return { base: type.zone === undefined ? "datetime2" : "datetimeoffset", scale: scales[type.unit] ?? 7 };
    case "duration":
      return { base: "bigint" };
    case "binary":
    case "large_binary":
    case "binary_view":
      return { base: "varbinary" };
    case "fixed_size_binary":
      return type.width > 0 && type.width <= binaryBytesMax ? { base: "binary", length: type.width } : { base: "varbinary" };
    case "null":
    case "string":
    case "large_string":
    case "string_view":
      return { base: "nvarchar" };
    case "union":
    case "run_end_encoded":
    case "interval":
      throw refused(field, field.name, "it has nothing alike");
    default:
      checkInJson(field, field.name, refused);
      return { base: "nvarchar" };
  }
}

/** `tinyint` has no sign; all others have one. */
function integerType(bits: number, signed: boolean): SqlType {
  if (bits === 64) return signed ? { base: "bigint" } : { base: "decimal", precision: 20, scale: 0 };
  if (bits === 32) return { base: signed ? "int" : "bigint" };
  if (bits === 16) return { base: signed ? "smallint" : "int" };
  return { base: signed ? "smallint" : "tinyint" };
}

/** Scales below 0 or above the precision get more digits. */
function decimalType(field: ArrowField, precision: number, scale: number): SqlType {
  const digits = scale < 0 ? precision - scale : Math.max(precision, scale);
  if (digits > digitsMax) throw refused(field, field.name, `a decimal has ${digitsMax} digits at most`);
  return { base: "decimal", precision: digits, scale: Math.max(scale, 0) };
}

function refused(field: ArrowField, path: string, reason: string): TerminalFailure {
  return typeRefused(field, path, "SQL Server", reason);
}

/** How many of the type's units are in one of the column's, where these are not the same: hundreds of nanoseconds, days of milliseconds. */
export function unitsInOne({ type }: ArrowField): bigint {
  if (type.kind === "date") return type.unit === dateUnits.day ? 1n : 86_400_000n;
  return (type.kind === "time" || type.kind === "timestamp") && type.unit === 3 ? 100n : 1n;
}
