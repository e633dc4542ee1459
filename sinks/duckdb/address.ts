import { normalize, resolve } from "node:path";
import { TerminalFailure } from "../../domain/failure.ts";
import { splitKeep } from "../tables/keep.ts";
import { writeTableName, type TableName } from "../tables/table-name.ts";
import { decodeName, parseSinkUri } from "../uri.ts";

/** Where a `duckdb://` URI leads. */
export interface DuckdbAddress {
  /** The database file as the URI has it; a relative one is below the folder that the sink works in. */
  readonly path: string;
  /** Null where the URI names no table: then it is named after the output. */
  readonly table: TableName | null;
}

/** Of DuckDB, or of the sink. */
const takenSchemas: ReadonlySet<string> = new Set(["_casparian", "information_schema", "pg_catalog", "temp", "system"]);

/**
 * Takes a URI apart: the path of a file, in which nothing is decoded, and behind the last question mark the table. One without a schema is in
 * `main`; a dot within a name is written `%2E`. Whether replaced rows are kept (`splitKeep`) is no part of it. Throws TerminalFailure SINK_URI.
 */
export function duckdbAddress(uri: string): DuckdbAddress {
  const { rest } = parseSinkUri(splitKeep(uri).uri);
  const [, path = "", query] = /^(.*?)(?:\?([^?]*))?$/s.exec(rest) ?? [];
  if (path === "" || path.endsWith("/") || path === ":memory:") throw misunderstood(uri, "it names no file");
  if (query === undefined || query === "") return { path: normalize(path), table: null };
  if (!query.startsWith("table=")) throw misunderstood(uri, `"${query}" is no table: a question mark is followed by table=`);
  return { path: normalize(path), table: tableOf(uri, query.slice("table=".length)) };
}

/** The URI of the table, which is spelled out, so that two ways to write one target are one target on record. */
export function duckdbUri(uri: string, output: string): string {
  const { path, table } = duckdbAddress(uri);
  return uriOf(path, tableFor(table, output));
}

export function uriOf(path: string, table: TableName): string {
  return `duckdb://${path}?table=${writeTableName(table)}`;
}

export function pathOf({ path }: DuckdbAddress, baseDir: string): string {
  return resolve(baseDir, path);
}

export function tableFor(table: TableName | null, output: string): TableName {
  return table ?? { schema: "main", name: output };
}

function tableOf(uri: string, text: string): TableName {
  const names = text.split(".").map((part) => decodeName(part, (why) => misunderstood(uri, why)));
  if (names.length > 2 || names.some((name) => name === "" || name.includes("\0")))
    throw misunderstood(uri, `"${text}" is not a table: write schema.table, with %2E for a dot within a name`);
  const [schema, name] = names.length === 1 ? ["main", names[0]!] : (names as [string, string]);
  if (takenSchemas.has(schema.toLowerCase())) throw misunderstood(uri, `the schema ${schema} is not for results`);
  return { schema, name };
}

function misunderstood(uri: string, why: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_URI",
    message: `${uri} is not the address of a table in a DuckDB file: ${why}`,
    hint: "Write duckdb://output/lake.duckdb?table=trades (a file under the working folder) or duckdb:///data/lake.duckdb?table=schema.trades",
  });
}
