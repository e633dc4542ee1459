import { createMssqlSink } from "../sinks/mssql.ts";
import { environmentConnections } from "../test/support/connections.ts";
import { openArrowFile } from "./arrow-file.ts";
import { peakMemoryOf } from "./peak-memory.ts";

/**
 * Run as `node load-mssql.ts STREAM TIMES`: stages the batches of an Arrow stream so many times as one result at the connection `mssql`, and
 * prints `{seconds, peakBytes}` from opening to the staged result.
 */
const [stream = "", times = "1"] = process.argv.slice(2);
const sink = createMssqlSink({ connections: environmentConnections });
const lineage = { sourceHash: "a".repeat(64), jobId: "1", fileVersionId: "1", processedAt: new Date(), pluginVersion: "trades@1" };
await using file = await openArrowFile(stream);
const begun = performance.now();
const writer = await sink.open({
  uri: "mssql://trades",
  mode: "append",
  output: "trades",
  jobId: "1",
  attempt: 1,
  pluginName: "trades",
  locationId: "1",
  artifactHash: "b".repeat(64),
  relPath: "trades.csv",
  lineage,
  schema: file.schema,
});
for (let time = 0; time < Number(times); time += 1) for await (const batch of file.batches()) await writer.write(batch);
await writer.stage();
console.log(JSON.stringify({ seconds: (performance.now() - begun) / 1000, peakBytes: peakMemoryOf("self") }));
