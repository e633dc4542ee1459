import { Int32, makeVector, Table, tableFromArrays, tableToIPC, Utf8, vectorFromArray } from "apache-arrow";
import type { ArrowMessage } from "../../domain/arrow.ts";
import type { Lineage } from "../../domain/lineage.ts";
import { messagesIn } from "../../arrow/stream.ts";
import type { OpenRequest } from "../../sinks/sink.ts";

/** Takes an Arrow IPC stream apart, as the bridge does: the schema, then what follows. */
export function messagesOf(stream: Uint8Array): { readonly schema: ArrowMessage; readonly messages: readonly ArrowMessage[] } {
  const [schema, ...messages] = messagesIn(stream);
  if (schema === undefined) throw new Error("the stream is empty");
  return { schema, messages };
}

/** `arrow_types.py` expects these very values. */
export const lineage: Lineage = {
  sourceHash: "a".repeat(64),
  jobId: "9007199254740993",
  fileVersionId: "12",
  processedAt: new Date("2026-01-02T03:04:05.678Z"),
  pluginVersion: "trades@1.2.3",
};

export function requestFor(schema: ArrowMessage, changes: Partial<OpenRequest> = {}): OpenRequest {
  return {
    uri: "parquet://out",
    mode: "append",
    output: "out",
    jobId: lineage.jobId,
    attempt: 1,
    pluginName: "trades",
    locationId: "7",
    artifactHash: "b".repeat(64),
    relPath: "in/trades.csv",
    lineage,
    schema,
    ...changes,
  };
}

/** The same for any target: one that is partitioned gets a partition for each of 7 days and 3 venues, one of them null. */
export function numbersFor(uri: string, rows: number, batches = 1): Uint8Array {
  return numbers(rows, batches, uri.includes("?partition="));
}

/** A stream with the numbers from 0 on in the column `n`, in so many batches. */
export function numbers(rows: number, batches = 1, hasPartitions = false): Uint8Array {
  const size = Math.ceil(rows / batches);
  const tables = Array.from({ length: batches }, (_, batch) => {
    const length = Math.min(size, rows - batch * size);
    const each = <T>(valueOf: (n: number) => T): T[] => Array.from({ length }, (_value, index) => valueOf(batch * size + index));
    const n = BigInt64Array.from(each(BigInt));
    if (!hasPartitions) return tableFromArrays({ n }) as Table;
    const day = vectorFromArray(
      each((number) => 20_454 + (number % 7)),
      new Int32(),
    );
    const venue = vectorFromArray(
      each((number) => ["XNAS", "X/N=Y", null][number % 3]),
      new Utf8(),
    );
    return new Table({ n: makeVector(n), day, venue }) as Table;
  });
  return tableToIPC(tables[0]!.concat(...tables.slice(1)), "stream");
}
