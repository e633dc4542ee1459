import { safeUrl } from "../domain/safe-url.ts";
import { parseSinkUri } from "./uri.ts";

/** What `casparian query` has to read sinks with. */
export type QueryReader = "parquet" | "csv" | "jsonl" | "s3" | "postgres" | "duckdb" | "mssql";

/** That of the sink behind a URI; null where there is none. */
export function readerOf(uri: string): QueryReader | null {
  return readers[parseSinkUri(uri).scheme] ?? null;
}

const readers: Readonly<Record<string, QueryReader>> = {
  parquet: "parquet",
  csv: "csv",
  jsonl: "jsonl",
  s3: "s3",
  postgres: "postgres",
  postgresql: "postgres",
  duckdb: "duckdb",
  mssql: "mssql",
};

/** Whether rows are copied into temporary files before they can be read. */
export function isFetched(uri: string): boolean {
  const reader = readerOf(uri);
  return reader !== null && fetched.has(reader);
}

const fetched: ReadonlySet<QueryReader> = new Set(["s3", "postgres", "duckdb", "mssql"]);

/** Whether a result's size on record tells how much there is to copy. DuckDB makes no file below 0.5 MB, whatever is staged in it. */
export function isSizeTelling(uri: string): boolean {
  return readerOf(uri) !== "duckdb";
}

/** How rows that `casparian query` doesn't read are read, in words for a person; null where it does. */
export function readElsewhere(uri: string): string | null {
  if (readerOf(uri) !== null) return null;
  return ways[parseSinkUri(uri).scheme] ?? `with what reads ${safeUrl(uri)}`;
}

const ways: Readonly<Record<string, string>> = {
  sqlite: "with sqlite3, in its own file",
};
