import { dateUnits, isUuid, timeUnits, typeName, type ArrowField } from "../../arrow/type.ts";
import type { TerminalFailure } from "../../domain/failure.ts";
import { typeRefused } from "../columns.ts";
import { quoted } from "../postgres/quote.ts";
import { folded } from "./folded.ts";

/** Source: DuckDB, "Decimal". */
const digitsMax = 38;
/** DuckDB allows 100,000, and takes memory for 2,048 of them at once. */
const arraySizeMax = 4_096;

/**
 * How a column is kept, as SQL; docs/sinks.md has the table. Dictionaries are their values. Throws TerminalFailure SINK_TYPE that names the
 * column.
 */
export function sqlTypeOf(field: ArrowField, path = field.name): string {
  const { type, children } = field;
  switch (type.kind) {
    case "decimal": {
      const { precision, scale } = decimalOf(field, path);
      return `DECIMAL(${precision},${scale})`;
    }
    case "list":
    case "large_list":
    case "list_view":
    case "large_list_view":
      return `${itemType(field, path)}[]`;
    case "fixed_size_list":
      return `${itemType(field, path)}[${isArray(field) ? type.size : ""}]`;
    case "struct":
      return structType(field, path);
    case "map": {
      const [key, value] = children[0]!.children as [ArrowField, ArrowField];
      return `MAP(${sqlTypeOf(key, `${path}.${key.name}`)}, ${sqlTypeOf(value, `${path}.${value.name}`)})`;
    }
    case "union":
      throw refused(field, path, "its values have several types");
    case "run_end_encoded":
      throw refused(field, path, "it has nothing alike");
    default:
      return plainType(field);
  }
}

/** What the SQL type doesn't tell and a reader may need; null where it tells all. */
export function commentOf(field: ArrowField): string | null {
  const { type, dictionary, children } = field;
  const isUntold =
    (type.kind === "timestamp" && type.zone !== undefined && type.zone !== "UTC") ||
    (type.kind === "fixed_size_list" && !isArray(field)) ||
    ["duration", "fixed_size_binary"].includes(type.kind);
  return isUntold && dictionary === undefined ? `Arrow type ${typeName({ type, children })}` : null;
}

/** Whether it has DuckDB's type for lists of one size, which has its limits. */
export function isArray({ type }: Pick<ArrowField, "type">): boolean {
  return type.kind === "fixed_size_list" && type.size > 0 && type.size <= arraySizeMax;
}

/** Digits in all and behind the point. Scales below 0 or above the precision get more digits. */
export function decimalOf(field: ArrowField, path = field.name): { readonly precision: number; readonly scale: number } {
  if (field.type.kind !== "decimal") throw new Error("not a decimal");
  const { precision, scale } = field.type;
  const digits = scale < 0 ? precision - scale : Math.max(precision, scale);
  if (digits > digitsMax) throw refused(field, path, `a DECIMAL has ${digitsMax} digits at most`);
  return { precision: digits, scale: Math.max(scale, 0) };
}

function itemType({ children }: ArrowField, path: string): string {
  const [item] = children as [ArrowField];
  return sqlTypeOf(item, `${path}.${item.name}`);
}

function structType(field: ArrowField, path: string): string {
  const { children } = field;
  if (children.length === 0) throw refused(field, path, "a STRUCT has at least one field");
  const names = new Map<string, string>();
  for (const { name } of children) {
    const other = names.get(folded(name));
    if (name === "" || name.includes("\0")) throw refused(field, path, `"${name.replaceAll("\0", "\\0")}" can't name a field`);
    if (other !== undefined)
      throw refused(field, path, `its fields "${other}" and "${name}" have one name, as upper and lower case are the same`);
    names.set(folded(name), name);
  }
  return `STRUCT(${children.map((child) => `${quoted(child.name)} ${sqlTypeOf(child, `${path}.${child.name}`)}`).join(", ")})`;
}

function plainType(field: ArrowField): string {
  const { type } = field;
  switch (type.kind) {
    case "bool":
      return "BOOLEAN";
    case "int":
      return `${type.signed ? "" : "U"}${{ 8: "TINYINT", 16: "SMALLINT", 32: "INTEGER" }[type.bits] ?? "BIGINT"}`;
    case "float":
      return type.precision === 2 ? "DOUBLE" : "FLOAT";
    case "date":
      return "DATE";
    case "time":
      return timeUnits[type.unit] === "ns" ? "TIME_NS" : "TIME";
    case "timestamp":
      if (type.zone !== undefined) return "TIMESTAMP WITH TIME ZONE";
      return { s: "TIMESTAMP_S", ms: "TIMESTAMP_MS", us: "TIMESTAMP", ns: "TIMESTAMP_NS" }[timeUnits[type.unit]!];
    case "duration":
    case "interval":
      return "INTERVAL";
    case "binary":
    case "large_binary":
    case "binary_view":
      return "BLOB";
    case "fixed_size_binary":
      return isUuid(field) ? "UUID" : "BLOB";
    default:
      return "VARCHAR";
  }
}

/** Whether a date is counted in days. */
export function isInDays({ type }: Pick<ArrowField, "type">): boolean {
  return type.kind === "date" && type.unit === dateUnits.day;
}

function refused(field: ArrowField, path: string, reason: string): TerminalFailure {
  return typeRefused(field, path, "DuckDB", reason);
}
