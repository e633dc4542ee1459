import { open, stat, type FileHandle } from "node:fs/promises";
import { scalarIn } from "../arrow/flatbuffer.ts";
import { openMessage } from "../arrow/message.ts";
import type { ArrowMessage } from "../domain/arrow.ts";
import { createParquetSink } from "../sinks/parquet.ts";
import { peakMemoryOf } from "./peak-memory.ts";

/**
 * Run as `node write-parquet.ts BASE_DIR STREAM TIMES`: writes the batches of an Arrow stream so many times into one result, and prints
 * `{seconds, peakBytes}` from opening to the commit. One message is in memory at a time, as when a plugin sends them.
 */
const [baseDir = "", stream = "", times = "1"] = process.argv.slice(2);
const sink = createParquetSink({ baseDir });
// Its threads are there, as in a worker that has run a while.
await writeOnce(1);
const begun = performance.now();
await writeOnce(Number(times));
console.log(JSON.stringify({ seconds: (performance.now() - begun) / 1000, peakBytes: peakMemoryOf("self") }));
await sink.close();

async function writeOnce(repeats: number): Promise<void> {
  await using file = await open(stream);
  const { size } = await stat(stream);
  const schema = await readMessage(file, 0, "schema");
  const lineage = { sourceHash: "a".repeat(64), jobId: "1", fileVersionId: "1", processedAt: new Date(), pluginVersion: "trades@1" };
  const writer = await sink.open({
    uri: "parquet://trades",
    mode: "append",
    output: "trades",
    jobId: "1",
    attempt: 1,
    pluginName: "trades",
    locationId: "1",
    artifactHash: "b".repeat(64),
    relPath: "trades.csv",
    lineage,
    schema: schema.message,
  });
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    // Eight bytes of zeros end the stream.
    for (let at = schema.end; at + 8 < size;) {
      const { message, end } = await readMessage(file, at, "batch");
      await writer.write(message);
      at = end;
    }
  }
  await sink.commit(await writer.stage());
}

async function readMessage(
  file: FileHandle,
  at: number,
  kind: ArrowMessage["kind"],
): Promise<{ readonly message: ArrowMessage; readonly end: number }> {
  const metadataBytes = (await readAt(file, at, 8)).readInt32LE(4);
  const { end } = openMessage(await readAt(file, at, 8 + metadataBytes));
  const bytes = await readAt(file, at, end);
  const rows = kind === "batch" ? Number(scalarIn(openMessage(bytes).header, 0, "i64", 0)) : 0;
  return { message: { kind, rows, bytes }, end: at + end };
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer;
}
