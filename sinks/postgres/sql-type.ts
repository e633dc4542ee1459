import type { TerminalFailure } from "../../domain/failure.ts";
import { isUuid, typeName, type ArrowField } from "../../arrow/type.ts";
import { typeRefused } from "../columns.ts";
import { checkInJson } from "../tables/columns.ts";

/** The type of a column in Postgres. */
export interface SqlType {
  /** As Postgres itself writes it (`format_type`). */
  readonly name: string;
  readonly oid: number;
}

/** Source: pg_type.dat of PostgreSQL; these numbers are fixed. */
const oids = {
  boolean: 16,
  bytea: 17,
  bigint: 20,
  smallint: 21,
  integer: 23,
  text: 25,
  real: 700,
  "double precision": 701,
  date: 1082,
  "time without time zone": 1083,
  "timestamp without time zone": 1114,
  "timestamp with time zone": 1184,
  interval: 1186,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
} as const;

/** What numeric takes. Source: PostgreSQL, "Arbitrary Precision Numbers". */
const digitsMax = 1000;

/**
 * How a column is kept; docs/sinks.md has the table. Lists of plain values are arrays, other nested values JSON. Dictionaries are their values.
 * Throws TerminalFailure SINK_TYPE that names the column.
 */
export function sqlTypeOf(field: ArrowField, path = field.name): SqlType {
  const { type, children } = field;
  switch (type.kind) {
    case "list":
    case "large_list":
    case "list_view":
    case "large_list_view":
    case "fixed_size_list": {
      const [item] = children as [ArrowField];
      if (isNested(item)) return jsonOf(field, path);
      const element = sqlTypeOf(item, `${path}.${item.name}`);
      return { name: `${element.name}[]`, oid: 0 };
    }
    case "struct":
    case "map":
      return jsonOf(field, path);
    case "decimal":
      return numeric(field, path);
    case "union":
      throw refused(field, path, "a column has one type");
    case "run_end_encoded":
      throw refused(field, path, "it has nothing alike");
    default:
      return plain(plainType(field));
  }
}

/** Whether a value is kept as JSON where it stands in a list. */
export function isNested({ type }: ArrowField): boolean {
  return /^(large_)?list(_view)?$|^(fixed_size_list|struct|map)$/.test(type.kind);
}

/** What the SQL type doesn't tell and a reader may need; null where it tells all. */
export function commentOf({ type, dictionary, children }: ArrowField): string | null {
  const isTold =
    type.kind === "timestamp" ? type.zone === undefined || type.zone === "UTC" : !["duration", "fixed_size_binary"].includes(type.kind);
  return isTold || dictionary !== undefined ? null : `Arrow type ${typeName({ type, children })}`;
}

function plainType(field: ArrowField): Exclude<keyof typeof oids, "jsonb" | "numeric"> | "numeric(20,0)" {
  const { type } = field;
  switch (type.kind) {
    case "bool":
      return "boolean";
    case "int":
      if (type.bits === 64) return type.signed ? "bigint" : "numeric(20,0)";
      return type.bits + Number(!type.signed) <= 16 ? "smallint" : type.bits + Number(!type.signed) <= 32 ? "integer" : "bigint";
    case "float":
      return type.precision === 2 ? "double precision" : "real";
    case "date":
      return "date";
    case "time":
      return "time without time zone";
    case "timestamp":
      return type.zone === undefined ? "timestamp without time zone" : "timestamp with time zone";
    case "duration":
    case "interval":
      return "interval";
    case "binary":
    case "large_binary":
    case "binary_view":
      return "bytea";
    case "fixed_size_binary":
      return isUuid(field) ? "uuid" : "bytea";
    default:
      return "text";
  }
}

function plain(name: ReturnType<typeof plainType>): SqlType {
  return { name, oid: name === "numeric(20,0)" ? oids.numeric : oids[name] };
}

/** Scales below 0 or above the precision, which only Postgres 15 and later know, get more digits. */
function numeric(field: ArrowField, path: string): SqlType {
  if (field.type.kind !== "decimal") throw new Error("not a decimal");
  const { precision, scale } = field.type;
  const digits = scale < 0 ? precision - scale : Math.max(precision, scale);
  if (digits > digitsMax) throw refused(field, path, `a numeric has ${digitsMax} digits at most`);
  return { name: `numeric(${digits},${Math.max(scale, 0)})`, oid: oids.numeric };
}

function jsonOf(field: ArrowField, path: string): SqlType {
  checkInJson(field, path, refused);
  return { name: "jsonb", oid: oids.jsonb };
}

function refused(field: ArrowField, path: string, reason: string): TerminalFailure {
  return typeRefused(field, path, "Postgres", reason);
}
