import { literal } from "./identifier.ts";
import { parquetRows } from "./parquet-files.ts";

type RecordedColumns = readonly { readonly name: string; readonly type: string }[];

/**
 * The rows of Parquet files that lie in folders named after the values of some columns, `trade_date=2026-01-02/venue=XNAS`, with these columns in
 * the types of the record and in their places. Without rows there are no such folders.
 *
 * The values are taken from the paths here, and not by DuckDB's own way to read such folders, which takes folders above the output's for columns,
 * and the text "NULL" for null.
 */
export function partitionedRows(
  files: string,
  columns: RecordedColumns,
  { partition, isEmpty }: { readonly partition: readonly string[]; readonly isEmpty: boolean },
): string {
  const inFiles = columns.filter(({ name }) => !partition.includes(name));
  const values = columns.map(({ name, type }) => {
    const level = partition.indexOf(name);
    if (level < 0) return `f${inFiles.findIndex((column) => column.name === name)}`;
    const wanted = folderType(type);
    return isEmpty ? `null::${wanted}` : folderValue(name, partition.length - level, wanted);
  });
  const rows = parquetRows(files, inFiles, { hasPath: true });
  const names = [...inFiles.map((_, at) => `f${at}`), "path"];
  return `(select ${values.map((value, at) => `${value} as c${at}`).join(", ")} from ${rows} as t(${names.join(", ")}))`;
}

/** The value in the name of the folder that lies so many above the file. */
function folderValue(name: string, above: number, type: string): string {
  const value = `substr(split_part(path, '/', ${-1 - above}), ${[...name].length + 2})`;
  return `case when ${value} = ${literal(nullValue)} then null else url_decode(${value})::${type} end`;
}

const nullValue = "__HIVE_DEFAULT_PARTITION__";

/** DuckDB's type of a column by which results may be partitioned. */
function folderType(arrowType: string): string {
  const plain = /^dictionary<values=([^,]+)/.exec(arrowType)?.[1] ?? arrowType;
  return types[plain] ?? "VARCHAR";
}

const types: Readonly<Record<string, string>> = {
  bool: "BOOLEAN",
  int8: "TINYINT",
  int16: "SMALLINT",
  int32: "INTEGER",
  int64: "BIGINT",
  uint8: "UTINYINT",
  uint16: "USMALLINT",
  uint32: "UINTEGER",
  uint64: "UBIGINT",
  "date32[day]": "DATE",
};
