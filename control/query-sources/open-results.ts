import type { Queryable } from "../../db/pool.ts";
import type { ResultRow } from "../../db/result.ts";
import { readerOf, type QueryReader } from "../../sinks/readable.ts";
import { openFiles } from "./files.ts";
import type { OpenedResults, Opening, OpenResults } from "./source.ts";

/** How each kind of sink is opened. */
function openers(db: Queryable): Readonly<Record<QueryReader, OpenResults>> {
  return { parquet: openFiles(db, "parquet"), csv: openFiles(db, "csv"), jsonl: openFiles(db, "jsonl") };
}

/** Opens results, each as its sink needs it; all of them must be in sinks that `casparian query` reads. */
export async function openResults(db: Queryable, results: readonly ResultRow[], opening: Opening): Promise<OpenedResults> {
  const byReader = Map.groupBy(results, ({ uri }) => readerOf(uri)!);
  const opened: OpenedResults[] = [];
  for (const [reader, some] of byReader) opened.push(await openers(db)[reader](some, opening));
  return {
    parts: opened.flatMap(({ parts }) => parts),
    async requireUnchanged() {
      for (const one of opened) await one.requireUnchanged();
    },
  };
}
