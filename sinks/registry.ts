import type { Connections } from "../domain/connection.ts";
import { lazySink } from "./lazy-sink.ts";
import { createParquetSink } from "./parquet.ts";
import type { Sink } from "./sink.ts";
import { createTextSinks } from "./text.ts";
import { requireSink, type sinkSchemes } from "./uri.ts";

export interface Sinks {
  /** The sink that a topic's URI names. Throws TerminalFailure SINK_URI and SINK_SCHEME. */
  forUri(uri: string): Sink;
  close(): Promise<void>;
}

export interface SinksOptions {
  /** Relative paths in URIs are below it. */
  readonly baseDir: string;
  /** Servers that URIs may name; none unless given. */
  readonly connections?: Connections | undefined;
}

export function createSinks({ baseDir, connections }: SinksOptions): Sinks {
  const parquet = createParquetSink({ baseDir });
  const s3 = lazySink(async () => (await import("./s3.ts")).createS3Sink({ parquet }));
  const text = createTextSinks({ baseDir });
  const postgres = lazySink(async () => (await import("./postgres.ts")).createPostgresSink({ connections }));
  const duckdb = lazySink(async () => (await import("./duckdb.ts")).createDuckdbSink({ baseDir }));
  const mssql = lazySink(async () => (await import("./mssql.ts")).createMssqlSink({ connections }));
  const sinks: Readonly<Record<(typeof sinkSchemes)[number], Sink>> = {
    parquet,
    s3,
    csv: text.csv,
    jsonl: text.jsonl,
    postgres,
    postgresql: postgres,
    mssql,
    duckdb,
  };
  return {
    forUri: (uri) => sinks[requireSink(uri).scheme],
    async close() {
      await Promise.all([s3.close(), postgres.close(), mssql.close(), duckdb.close()]);
      await Promise.all([parquet.close(), text.close()]);
    },
  };
}
