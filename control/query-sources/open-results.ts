import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Queryable } from "../../db/pool.ts";
import type { ResultRow } from "../../db/result.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { isFetched, isSizeTelling, readerOf, type QueryReader } from "../../sinks/readable.ts";
import { openFiles } from "./files.ts";
import type { Fetching, OpenedResults, Opening, OpenResults } from "./source.ts";

/** How each kind of sink is opened. A server's client takes as long to load as all else of a query, so only what is asked for is loaded. */
const openers: Readonly<Record<QueryReader, (db: Queryable) => Promise<OpenResults>>> = {
  parquet: async (db) => openFiles(db, "parquet"),
  csv: async (db) => openFiles(db, "csv"),
  jsonl: async (db) => openFiles(db, "jsonl"),
  s3: async (db) => (await import("./s3.ts")).openObjects(db),
  postgres: async (db) => (await import("./postgres.ts")).openTables(db),
  duckdb: async (db) => (await import("./duckdb.ts")).openDatabases(db),
  mssql: async (db) => (await import("./mssql.ts")).openServerTables(db),
};

export interface OpeningAll extends Omit<Opening, "fetching"> {
  /** How much may be fetched from elsewhere. */
  readonly fetchBytesMax: number;
  /** Told how much has been fetched of how much is to be. */
  readonly onFetch?: (bytes: number, bytesOfAll: number) => void;
}

/**
 * Opens results, each as its sink needs it; all of them must be in sinks that `casparian query` reads. What has to be fetched goes into
 * folders below `scratch`. Throws TerminalFailure QUERY_FETCH_MAX where that is too much, before anything is.
 */
export async function openResults(
  db: Queryable,
  results: readonly ResultRow[],
  { scratch, ...opening }: OpeningAll & { readonly scratch: string },
): Promise<OpenedResults> {
  const onBytes = countBytes(results, opening);
  const opened: OpenedResults[] = [];
  for (const [reader, some] of Map.groupBy(results, ({ uri }) => readerOf(uri)!)) {
    const fetching: Fetching = { folder: join(scratch, reader), onBytes };
    await mkdir(fetching.folder);
    const open = await openers[reader](db);
    opened.push(await open(some, { ...opening, fetching }));
  }
  return {
    parts: opened.flatMap(({ parts }) => parts),
    databases: opened.flatMap(({ databases = [] }) => databases),
    async requireUnchanged() {
      for (const one of opened) await one.requireUnchanged();
    },
  };
}

/** The record knows how much was written; a table's rows may need more room where they are copied to, so what comes is counted, too. */
function countBytes(results: readonly ResultRow[], { fetchBytesMax, onFetch }: OpeningAll): Fetching["onBytes"] {
  const fetched = results.filter(({ uri }) => isFetched(uri));
  const expected = fetched.reduce((sum, { uri, sizeBytes }) => sum + (isSizeTelling(uri) ? sizeBytes : 0), 0);
  const names = [...new Set(fetched.map(({ plugin, output }) => `${plugin}.${output}`))];
  if (expected > fetchBytesMax) throw tooMuch(names, `are ${shownSize(expected)}`, fetchBytesMax);
  let bytes = 0;
  return (more) => {
    bytes += more;
    if (bytes > fetchBytesMax) throw tooMuch(names, `are more than ${shownSize(fetchBytesMax)}`, fetchBytesMax);
    onFetch?.(bytes, Math.max(bytes, expected));
  };
}

function tooMuch(names: readonly string[], howMuch: string, fetchBytesMax: number): TerminalFailure {
  return new TerminalFailure({
    code: "QUERY_FETCH_MAX",
    message: `the rows of ${names.join(", ")} ${howMuch}, and would be copied into temporary files, of which ${shownSize(fetchBytesMax)} may be`,
    hint: `Allow more with --fetch-max SIZE, if there is room in the folder for temporary files (TMPDIR); or ask the database itself`,
  });
}

function shownSize(bytes: number): string {
  return bytes < 1e6 ? `${bytes} bytes` : `${Math.ceil(bytes / 1e6)} MB`;
}
