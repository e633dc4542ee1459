import { randomFillSync } from "node:crypto";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import { createSinks } from "../../sinks/registry.ts";
import { messagesOf, requestFor } from "./arrow.ts";

/**
 * Run as `node commit-rows.ts URI BATCHES`: writes, stages and commits so many batches of 100,000 numbers that can't be compressed, and prints
 * the code, message and hint of a failure as JSON.
 */
const [uri = "", batches = ""] = process.argv.slice(2);
const table = tableFromArrays({ n: new BigInt64Array(randomFillSync(new Uint8Array(800_000)).buffer) });
const { schema, messages } = messagesOf(tableToIPC(table, "stream"));
const sinks = createSinks({ baseDir: "/nowhere" });
const sink = sinks.forUri(uri);
try {
  const writer = await sink.open(requestFor(schema, { uri }));
  for (let batch = 0; batch < Number(batches); batch += 1) await writer.write(messages[0]!);
  const staged = await writer.stage();
  try {
    await sink.commit(staged);
  } catch (error) {
    await sink.discard(staged);
    throw error;
  }
  console.log("{}");
} catch (error) {
  const { code, message, hint } = error as Error & { code: string; hint: string };
  console.log(JSON.stringify({ code, message, hint }));
}
await sinks.close();
