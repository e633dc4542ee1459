import { duckdbUri } from "./duckdb/address.ts";
import { mssqlAddress } from "./mssql/address.ts";
import { parquetUri } from "./partition/address.ts";
import { postgresUri } from "./postgres/address.ts";
import { folderOf } from "./s3/address.ts";
import { joinKeep, splitKeep } from "./tables/keep.ts";
import { notPartitioned, requireSink } from "./uri.ts";

/**
 * A sink's URI as a topic keeps it: checked, and where it leaves something to the output's name, with that spelled out. Nothing is opened.
 * Throws TerminalFailure SINK_URI and SINK_SCHEME, and WrongUse for one that holds a password.
 */
export function topicUri(uri: string, output: string): string {
  const { scheme, rest } = requireSink(uri);
  if (scheme === "mssql") mssqlAddress(uri);
  if (scheme === "duckdb") return joinKeep({ ...splitKeep(uri), uri: duckdbUri(uri, output) });
  if (scheme === "parquet") return parquetUri(uri);
  if (scheme === "s3") folderOf(uri);
  if ((scheme === "csv" || scheme === "jsonl") && rest.includes("?partition=")) throw notPartitioned(uri, "it is for files of text");
  return scheme === "postgres" || scheme === "postgresql" ? joinKeep({ ...splitKeep(uri), uri: postgresUri(uri, output) }) : uri;
}
