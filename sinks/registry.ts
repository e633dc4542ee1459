import { lazySink } from "./lazy-sink.ts";
import { createParquetSink } from "./parquet.ts";
import type { Sink } from "./sink.ts";
import { requireSink, type sinkSchemes } from "./uri.ts";

export interface Sinks {
  /** The sink that a topic's URI names. Throws TerminalFailure SINK_URI and SINK_SCHEME. */
  forUri(uri: string): Sink;
  close(): Promise<void>;
}

/** Relative paths in URIs are below `baseDir`. */
export function createSinks({ baseDir }: { readonly baseDir: string }): Sinks {
  const parquet = createParquetSink({ baseDir });
  const s3 = lazySink(async () => (await import("./s3.ts")).createS3Sink({ parquet }));
  const sinks: Readonly<Record<(typeof sinkSchemes)[number], Sink>> = { parquet, s3 };
  return {
    forUri: (uri) => sinks[requireSink(uri).scheme],
    async close() {
      await s3.close();
      await parquet.close();
    },
  };
}
