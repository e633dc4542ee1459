import { readFile } from "node:fs/promises";
import { createMssqlSink } from "../../sinks/mssql.ts";
import { environmentConnections } from "../support/connections.ts";
import { messagesOf, requestFor } from "./arrow.ts";

/**
 * Run as `node load-much.ts URI STREAM TIMES`: stages the batches of an Arrow stream so many times as one result, and prints
 * `{rows, seconds, peakBytes}`.
 */
const [uri = "", stream = "", times = "1"] = process.argv.slice(2);
const { schema, messages } = messagesOf(await readFile(stream));
const sink = createMssqlSink({ connections: environmentConnections });
const writer = await sink.open(requestFor(schema, { uri }));
const began = performance.now();
for (let time = 0; time < Number(times); time++) for (const message of messages) await writer.write(message);
const staged = await writer.stage();
const seconds = (performance.now() - began) / 1000;
console.log(JSON.stringify({ rows: staged.rowsReadBack, seconds, peakBytes: process.resourceUsage().maxRSS * 1024 }));
