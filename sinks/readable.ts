import { safeUrl } from "../domain/safe-url.ts";
import { parseSinkUri } from "./uri.ts";

/** What `casparian query` has to read sinks with. */
export type QueryReader = "parquet" | "csv" | "jsonl" | "s3" | "postgres";

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
};

/** Whether rows are copied to this machine before they can be read. */
export function isFetched(uri: string): boolean {
  const reader = readerOf(uri);
  return reader === "s3" || reader === "postgres";
}

/** How rows that `casparian query` doesn't read are read, in words for a person; null where it does. */
export function readElsewhere(uri: string): string | null {
  if (readerOf(uri) !== null) return null;
  return ways[parseSinkUri(uri).scheme] ?? `with what reads ${safeUrl(uri)}`;
}

const ways: Readonly<Record<string, string>> = {
  mssql: "with sqlcmd, in its own database",
  sqlite: "with sqlite3, in its own file",
  duckdb: "with duckdb, in its own file",
};
