import { join } from "node:path";
import type { Queryable } from "../../db/pool.ts";
import type { ResultRow } from "../../db/result.ts";
import { openS3Reader, type S3Reader } from "../../sinks/s3/fetch.ts";
import { partOf } from "./files.ts";
import { inGroups } from "./in-groups.ts";
import { missing, type Lost } from "./locate-results.ts";
import type { Opening, OpenResults } from "./source.ts";

/** Objects that are fetched side by side. */
const lanesMax = 8;

/** Fetches the Parquet objects of a bucket, because DuckDB's own reader of S3 is none of the parts that it is built with. */
export function openObjects(db: Queryable): OpenResults {
  return async (results, opening) => {
    const reader = await openS3Reader();
    try {
      const fetched = await fetchAll(reader, results, opening);
      const groups = await inGroups(db, fetched, ({ result }) => result);
      // What was fetched is ours, whatever becomes of the objects.
      return { parts: groups.map((group) => partOf("parquet", group)), requireUnchanged: async () => {} };
    } finally {
      reader.close();
    }
  };
}

interface FetchedResult {
  readonly result: ResultRow;
  readonly path: string;
  readonly files: readonly string[];
  /** Objects are never partitioned. */
  readonly partition: readonly string[];
  readonly isEmpty: boolean;
}

async function fetchAll(reader: S3Reader, results: readonly ResultRow[], { signal, fetching }: Opening): Promise<readonly FetchedResult[]> {
  const fetched = results.map((result, at) => {
    const path = join(fetching.folder, `${at}.parquet`);
    return { result, path, files: [path], partition: [], isEmpty: false };
  });
  const lost: Lost[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < fetched.length; at = next++) {
      const { result, path } = fetched[at]!;
      const found = await reader.fetch(result, path, signal);
      if (found === "fetched") fetching.onBytes(result.sizeBytes);
      else lost.push({ result, place: { path: null, lookedAt: result.target, found } });
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanesMax, fetched.length) }, lane));
  if (lost.length > 0) throw missing(lost);
  return fetched;
}
