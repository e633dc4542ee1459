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
  const sinks: Readonly<Record<(typeof sinkSchemes)[number], Sink>> = { parquet };
  return {
    forUri: (uri) => sinks[requireSink(uri).scheme],
    close: () => parquet.close(),
  };
}
