import { createInterface } from "node:readline";
import { openDatabase } from "../../db/pool.ts";
import { findSource } from "../../db/source-root.ts";
import { scanSource } from "../../scout/scan.ts";
import { createScoutThreads } from "../../scout/threads.ts";
import { quietLog } from "../support/quiet-log.ts";

/**
 * A program that scans sources as it is asked to, for tests that kill it: `node scan-server.ts DATABASE_URL`. Each line of stdin is
 * `{"source", "paths"}`; it tells each step of the scan, and at last `done`, or `failed` with the reason.
 */
const db = openDatabase(process.argv[2]!, { max: 1 });
const threads = createScoutThreads(2);
await db.query("select 1");
process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  const { source, paths } = JSON.parse(line) as { source: string; paths: readonly string[] | null };
  const onProgress = ({ step }: { step: string }): void => void process.stdout.write(`${step}\n`);
  const found = (await findSource(db, source))!;
  try {
    await scanSource({ db, source: found, paths, threads, log: quietLog, onProgress, signal: new AbortController().signal });
    process.stdout.write("done\n");
  } catch (error) {
    process.stdout.write(`failed ${String(error)}\n`);
  }
}
await threads.close();
await db.end();
