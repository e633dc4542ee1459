import { fileResults } from "./files/results.ts";
import { folderOf } from "./files/target.ts";
import type { Sink } from "./sink.ts";
import type { DialectName } from "./text/dialect.ts";
import { textFiles } from "./text/marks.ts";
import { createTextPool } from "./text/text-pool.ts";
import { createWriter } from "./text/writer.ts";

export interface TextSinksOptions {
  /** Absolute; relative URIs are below it. */
  readonly baseDir: string;
  /** Encoding threads; 2 unless given. */
  readonly threads?: number;
}

/**
 * Writes each result as one file of text into the folder that a `csv://` or `jsonl://` URI names. As with Parquet, the file grows in the
 * folder's `_casparian_staging`, and one rename makes it visible.
 */
export function createTextSinks({
  baseDir,
  threads = 2,
}: TextSinksOptions): Readonly<Record<DialectName, Sink>> & { close(): Promise<void> } {
  const pool = createTextPool(threads);
  const sinkFor = (scheme: DialectName): Sink => ({
    ...fileResults(textFiles(scheme), { scheme, baseDir }),
    open: (request) => createWriter({ request, folder: folderOf(request.uri, scheme, baseDir), dialect: scheme, pool }),
  });
  return { csv: sinkFor("csv"), jsonl: sinkFor("jsonl"), close: () => pool.close() };
}
