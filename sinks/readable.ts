import { safeUrl } from "../domain/safe-url.ts";
import { parseSinkUri } from "./uri.ts";

/** How the rows behind a sink's URI are read: as files by `casparian query`, or otherwise, in words for a person. */
export function readingOf(uri: string): { readonly byQuery: true } | { readonly byQuery: false; readonly how: string } {
  const { scheme } = parseSinkUri(uri);
  if (scheme === "parquet") return { byQuery: true };
  return { byQuery: false, how: ways[scheme] ?? `with what reads ${safeUrl(uri)}` };
}

const ways: Readonly<Record<string, string>> = {
  postgres: "with psql, in its own database",
  postgresql: "with psql, in its own database",
  mssql: "with sqlcmd, in its own database",
  csv: "its files, with anything that reads CSV",
  jsonl: "its files, with anything that reads JSON Lines",
  sqlite: "with sqlite3, in its own file",
  duckdb: "with duckdb, in its own file",
  s3: "with duckdb or pyarrow, from its bucket",
};
