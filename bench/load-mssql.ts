import { createMssqlSink } from "../sinks/mssql.ts";
import { environmentConnections } from "../test/support/connections.ts";
import { openArrowFile } from "./arrow-file.ts";
import { peakMemoryOf } from "./peak-memory.ts";
import { tradesRequest } from "./trades-request.ts";

/**
 * Run as `node load-mssql.ts STREAM TIMES`: stages the batches of an Arrow stream so many times as one result at the connection `mssql`, and
 * prints `{seconds, peakBytes}` from opening to the staged result.
 */
const [stream = "", times = "1"] = process.argv.slice(2);
const sink = createMssqlSink({ connections: environmentConnections });
await using file = await openArrowFile(stream);
const begun = performance.now();
const writer = await sink.open(tradesRequest("mssql://trades", file.schema));
for (let time = 0; time < Number(times); time += 1) for await (const batch of file.batches()) await writer.write(batch);
await writer.stage();
console.log(JSON.stringify({ seconds: (performance.now() - begun) / 1000, peakBytes: peakMemoryOf("self") }));
