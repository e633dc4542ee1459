import { readFile } from "node:fs/promises";
import { TerminalFailure } from "../../domain/failure.ts";
import { createSinks } from "../../sinks/registry.ts";
import { messagesOf, requestFor } from "./arrow.ts";

/**
 * Run as `node write-much.ts BASE_DIR STREAM TIMES [SCHEME [PARAMETERS]]`: writes the batches of an Arrow stream so many times into one output, and
 * prints `{rows, peakBytes}` or what was refused as `{code, message}`.
 */
const [baseDir = "", stream = "", times = "1", scheme = "parquet", parameters = ""] = process.argv.slice(2);
// Without a listener a file that grows beyond its limit ends the process.
process.on("SIGXFSZ", () => {});
const { schema, messages } = messagesOf(await readFile(stream));
const sinks = createSinks({ baseDir });
const sink = sinks.forUri(`${scheme}://out${parameters}`);
try {
  const writer = await sink.open(requestFor(schema, { uri: `${scheme}://out${parameters}` }));
  for (let time = 0; time < Number(times); time++) for (const message of messages) await writer.write(message);
  const staged = await writer.stage();
  await sink.commit(staged);
  console.log(JSON.stringify({ rows: staged.rowsReadBack, peakBytes: process.resourceUsage().maxRSS * 1024 }));
} catch (error) {
  if (!(error instanceof TerminalFailure)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
await sinks.close();
