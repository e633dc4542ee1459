/**
 * SQL that makes values of texts as `sinks/postgres/export.ts` has them written, exactly. `type` is the column's in Postgres' own words. Types
 * that DuckDB has nothing alike for stay text.
 */
export function postgresValue(type: string, text: string): string {
  const same = sameTypes[type];
  if (same !== undefined) return `${text}::${same}`;
  if (type === "bytea") return `unhex(substr(${text}, 3))`;
  // Postgres has the era at the end, DuckDB after the date.
  if (type === "date") return `replace(${text}, ' BC', ' (BC)')::date`;
  const [, zone] = /^timestamp(?:\(\d\))? (with|without) time zone$/.exec(type) ?? [];
  if (zone !== undefined) {
    const written = `case when ends_with(${text}, ' BC') then regexp_replace(${text}, '^(\\S+) (.*) BC$', '\\1 (BC) \\2') else ${text} end`;
    return `(${written})::${zone === "with" ? "timestamptz" : "timestamp"}`;
  }
  const [, precision, scale] = /^numeric\((\d+),(\d+)\)$/.exec(type) ?? [];
  if (precision !== undefined && Number(precision) <= 38 && Number(scale) <= Number(precision))
    return `${text}::decimal(${precision}, ${scale!})`;
  const item = type.endsWith("[]") ? type.slice(0, -2) : undefined;
  if (item === undefined) return text;
  const value = item === "interval" ? "item" : postgresValue(item, "item");
  return `list_transform(from_json(${text}, '["VARCHAR"]'), lambda item: ${value})`;
}

const sameTypes: Readonly<Record<string, string>> = {
  boolean: "boolean",
  smallint: "smallint",
  integer: "integer",
  bigint: "bigint",
  real: "float",
  "double precision": "double",
  "time without time zone": "time",
  interval: "interval",
  uuid: "uuid",
  jsonb: "json",
  json: "json",
};
