import { plainItem } from "./arrow-value.ts";

/**
 * SQL that makes a value of a column in a DuckDB table one of the type that the same column has when it is read from Parquet. `typeName` is the
 * column's in the record, `type` the table's. What is nested deeper than a list stays as it is.
 */
export function duckdbValue(typeName: string, type: string, value: string): string {
  if (type === "TIMESTAMP_S" || type === "TIMESTAMP_MS") return `${value}::timestamp`;
  const plain = /^dictionary<values=(.*), indices=/s.exec(typeName)?.[1] ?? typeName;
  const [, unit] = /^duration\[(\w+)\]$/.exec(plain) ?? [];
  if (unit !== undefined && type === "INTERVAL") return `(epoch_us(${value}) ${countsOf[unit]!})`;
  const [, items, size] = /^(.*)\[(\d*)\]$/s.exec(type) ?? [];
  if (items === undefined) return value;
  const list = size === "" ? value : `${value}::${items}[]`;
  const item = duckdbValue(plainItem(plain) ?? "", items, "item");
  return item === "item" ? list : `list_transform(${list}, lambda item: ${item})`;
}

/** A duration is a count of its unit. */
const countsOf: Readonly<Record<string, string>> = { s: "// 1000000", ms: "// 1000", us: "* 1", ns: "* 1000" };
