import { literal } from "./identifier.ts";

/**
 * The rows of Parquet files, all with the columns that the first one has. `files` is SQL for a list of paths, `columns` are those of the record.
 * With `hasPath` each row's path is the last column. Decimals of more than 38 digits, of which DuckDB would make doubles without a word, are an error for whoever reads them.
 */
export function parquetRows(
  files: string,
  columns: readonly { readonly name: string; readonly type: string }[],
  { hasPath = false } = {},
): string {
  const rows = `read_parquet(${files}, hive_partitioning = false${hasPath ? ", filename = '_casparian_path'" : ""})`;
  const tooLong = columns.map(({ type }) => Number(/^(?:dictionary<values=)?decimal\d+\((\d+),/.exec(type)?.[1] ?? 0) > 38);
  if (!tooLong.includes(true)) return rows;
  const values = columns.map(({ name, type }, at) => {
    if (!tooLong[at]) return `c${at}`;
    const refusal = literal(
      `the column ${name} is of type ${type}, and DuckDB has decimals of 38 digits: read it with pyarrow, or leave it out`,
    );
    return `case when c${at} is not null then error(${refusal}) end::varchar as c${at}`;
  });
  const path = hasPath ? ["path"] : [];
  const names = [...columns.map((_, at) => `c${at}`), ...path];
  return `(select ${[...values, ...path].join(", ")} from ${rows} as t(${names.join(", ")}))`;
}
