import { runQuery } from "../control/run-query.ts";
import { openDatabase } from "../db/pool.ts";
import { noConnections } from "../domain/connection.ts";

/** Runs a statement as `casparian query` does, and prints what that took and the peak memory of the process. */
const [, , url, home, sql] = process.argv as unknown as readonly [string, string, string, string, string];
const db = openDatabase(url);
const began = performance.now();
const request = {
  sql,
  asOf: null,
  home,
  connections: noConnections,
  clashAsText: false,
  fetchBytesMax: 0,
  signal: new AbortController().signal,
};
await runQuery({ db, actor: "bench", temporal: null }, request, async ({ batches }) => {
  for await (const { rows } of batches) if (rows !== 1) throw new Error(`${rows} rows`);
});
const seconds = (performance.now() - began) / 1000;
await db.end();
console.log(JSON.stringify({ seconds, peakBytes: process.resourceUsage().maxRSS * 1024 }));
