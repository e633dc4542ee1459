import { createParquetSink } from "../sinks/parquet.ts";
import { openArrowFile } from "./arrow-file.ts";
import { peakMemoryOf } from "./peak-memory.ts";
import { tradesRequest } from "./trades-request.ts";

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
  await using file = await openArrowFile(stream);
  const writer = await sink.open(tradesRequest("parquet://trades", file.schema));
  for (let repeat = 0; repeat < repeats; repeat += 1) for await (const batch of file.batches()) await writer.write(batch);
  await sink.commit(await writer.stage());
}
