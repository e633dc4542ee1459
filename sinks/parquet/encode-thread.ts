import { parentPort } from "node:worker_threads";
import { Compression, EnabledStatistics, Encoding, Table, WriterPropertiesBuilder, wasmMemory, writeParquet } from "parquet-wasm/node";
import { messageOf, TerminalFailure } from "../../domain/failure.ts";
import type { ArrowField } from "../../arrow/type.ts";
import { convertStream } from "./convert.ts";

/** One part to encode; `stream` holds a whole Arrow IPC stream in its first `bytes` bytes. */
export interface EncodeJob {
  readonly stream: ArrayBuffer;
  readonly bytes: number;
  /** The plugin's columns where their values must be converted. */
  readonly convertFrom: readonly ArrowField[] | undefined;
  readonly deltaColumns: readonly string[];
}

export type EncodeAnswer =
  | { readonly file: Uint8Array<ArrayBuffer>; readonly retire: boolean }
  | { readonly failure: { readonly code: string; readonly message: string; readonly hint: string | undefined }; readonly retire: boolean };

/** WebAssembly memory never shrinks: a thread that one huge part has blown up ends, and the next part gets a new one. */
const memoryBytesMax = 256 * 1024 * 1024;

parentPort?.on("message", (job: EncodeJob) => {
  const answer = encode(job);
  parentPort?.postMessage(answer, "file" in answer ? [answer.file.buffer] : []);
});

function encode({ stream, bytes, convertFrom, deltaColumns }: EncodeJob): EncodeAnswer {
  try {
    const input = new Uint8Array(stream, 0, bytes);
    if (convertFrom !== undefined) convertStream(input, convertFrom);
    const table = Table.fromIPCStream(input);
    // Gives its pages back at once; the garbage collector may come much later.
    stream.transfer(0);
    const file = writeParquet(table, properties(deltaColumns)) as Uint8Array<ArrayBuffer>;
    return { file, retire: wasmMemory().buffer.byteLength > memoryBytesMax };
  } catch (error) {
    const known = error instanceof TerminalFailure;
    const failure = { code: known ? error.code : "SINK_ENCODING", message: messageOf(error), hint: known ? error.hint : undefined };
    // After a panic or exhausted memory nothing in the instance can be trusted.
    return { failure, retire: error instanceof Error && (error.name === "RuntimeError" || error.name === "RangeError") };
  }
}

/**
 * Measured for 230,000 rows of trades, milliseconds and KB a column. A dictionary that outgrows 128 KB is given up early:
 * with the default of 1 MB whole numbers that are all different took 36 to 44 ms, and the files were larger as well.
 * Whole numbers and times as differences take 5 to 9 ms (ids 1 KB, times 653, quantities 426), plain 8 to 13 ms (900, 1374, 837).
 * Statistics for each column and row group, as pyarrow writes them; for each page they would go with the page index.
 */
function properties(deltaColumns: readonly string[]): ReturnType<WriterPropertiesBuilder["build"]> {
  let builder = new WriterPropertiesBuilder()
    .setCompression(Compression.SNAPPY)
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setDictionaryPageSizeLimit(128 * 1024);
  for (const column of deltaColumns)
    builder = builder.setColumnDictionaryEnabled(column, false).setColumnEncoding(column, Encoding.DELTA_BINARY_PACKED);
  return builder.build();
}
