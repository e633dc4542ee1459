/**
 * SQL that makes values of texts which were written as `arrow/text.ts` does: exactly, in the type that a reader of the same rows in Parquet
 * gets, or in one that has room for all digits. Null stays null, and a text that is none of the type's is an error.
 * `typeName` is the column's in the record (`arrow/type.ts`).
 */
export function arrowValue(typeName: string, text: string): string {
  const values = /^dictionary<values=(.*), indices=/s.exec(typeName)?.[1];
  if (values !== undefined) return arrowValue(values, text);
  const type = plainTypes[typeName];
  if (type !== undefined) return `${text}::${type}`;
  const [, precision, scale] = /^decimal\d+\((\d+), (-?\d+)\)$/.exec(typeName) ?? [];
  if (precision !== undefined) return decimal(text, Number(precision), Number(scale));
  const [, unit, zone] = /^timestamp\[(\w+)(, tz=.*)?\]$/s.exec(typeName) ?? [];
  if (unit !== undefined) return `${civil(text)}::${unit === "ns" ? "timestamp_ns" : zone === undefined ? "timestamp" : "timestamptz"}`;
  if (typeName === "date32[day]") return `${civil(text)}::date`;
  if (typeName === "date64[ms]") return `${civil(text)}::timestamp`;
  if (/^time(32|64)\[/.test(typeName)) return `${text}::${typeName.endsWith("[ns]") ? "time_ns" : "time"}`;
  // `PT1.500S` of milliseconds are 1500: DuckDB's intervals have no nanoseconds.
  if (typeName.startsWith("duration[")) return `replace(substr(${text}, 3, length(${text}) - 3), '.', '')::bigint`;
  if (/^((large_)?binary(_view)?|fixed_size_binary\[.*)$/.test(typeName)) return `unhex(${text})`;
  const item = plainItem(typeName);
  if (item !== undefined) return `list_transform(from_json(${text}, '["VARCHAR"]'), lambda item: ${arrowValue(item, "item")})`;
  return nested.test(typeName) && typeName !== "null" ? `${text}::json` : text;
}

/** The type of the items of a list that is not nested further. */
export function plainItem(typeName: string): string | undefined {
  const item = listItem.exec(typeName)?.[1];
  return item === undefined || nested.test(item) ? undefined : item;
}

/** Other names than the usual ones, and those of a struct's fields, may hold what looks like a type. */
const listItem = /^(?:(?:large_)?list(?:_view)?|fixed_size_list)<(?:item|element): (.*?)(?: not null)?>(?:\[\d+\])?$/s;
const nested = /^((large_)?list(_view)?<|fixed_size_list<|struct<|map<|null$)/;

const plainTypes: Readonly<Record<string, string>> = {
  bool: "boolean",
  int8: "tinyint",
  int16: "smallint",
  int32: "integer",
  int64: "bigint",
  uint8: "utinyint",
  uint16: "usmallint",
  uint32: "uinteger",
  uint64: "ubigint",
  halffloat: "float",
  float: "float",
  double: "double",
};

const digitsMax = 38;

/** What has more digits than DuckDB's decimals stays text. */
function decimal(text: string, precision: number, scale: number): string {
  const digits = scale < 0 ? precision - scale : Math.max(precision, scale);
  return digits > digitsMax ? text : `${text}::decimal(${digits}, ${Math.max(scale, 0)})`;
}

/** Years beyond four digits have a plus sign, which DuckDB doesn't read. */
function civil(text: string): string {
  return `ltrim(${text}, '+')`;
}
