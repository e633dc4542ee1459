import { safeUrl } from "../domain/safe-url.ts";
import { parseSinkUri } from "./uri.ts";

/** What `casparian query` has to read sinks with. */
export type QueryReader = "parquet" | "csv" | "jsonl";

/** That of the sink behind a URI; null where there is none. */
export function readerOf(uri: string): QueryReader | null {
  return readers[parseSinkUri(uri).scheme] ?? null;
}

const readers: Readonly<Record<string, QueryReader>> = { parquet: "parquet", csv: "csv", jsonl: "jsonl" };

/** How rows that `casparian query` doesn't read are read, in words for a person; null where it does. */
export function readElsewhere(uri: string): string | null {
  if (readerOf(uri) !== null) return null;
  return ways[parseSinkUri(uri).scheme] ?? `with what reads ${safeUrl(uri)}`;
}

const ways: Readonly<Record<string, string>> = {
  postgres: "with psql, in its own database",
  postgresql: "with psql, in its own database",
  mssql: "with sqlcmd, in its own database",
  sqlite: "with sqlite3, in its own file",
  duckdb: "with duckdb, in its own file",
  s3: "with duckdb or pyarrow, from its bucket",
};
