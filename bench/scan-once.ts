import { openDatabase } from "../db/pool.ts";
import { findSource } from "../db/source-root.ts";
import { scanSource } from "../scout/scan.ts";
import { createScoutThreads } from "../scout/threads.ts";
import { benchLog } from "./log.ts";

/** Scans a source as an activity does, the given number of times, and prints what each scan took and the peak memory of the process. */
const [, , url, name, rounds] = process.argv as unknown as readonly [string, string, string, string, string];
const db = openDatabase(url);
const threads = createScoutThreads();
const source = (await findSource(db, name))!;
const seconds: number[] = [];
let report;
for (let round = 0; round < Number(rounds); round += 1) {
  const began = performance.now();
  report = await scanSource({ db, source, paths: null, threads, signal: new AbortController().signal, log: benchLog });
  seconds.push((performance.now() - began) / 1000);
}
await threads.close();
await db.end();
console.log(JSON.stringify({ seconds, peakBytes: process.resourceUsage().maxRSS * 1024, report }));
