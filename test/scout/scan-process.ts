import { openDatabase } from "../../db/pool.ts";
import { findSource } from "../../db/source-root.ts";
import { scanSource } from "../../scout/scan.ts";
import { createScoutThreads } from "../../scout/threads.ts";
import { openStore } from "../../snapshots/store.ts";
import { quietLog } from "../support/quiet-log.ts";

/** A program that scans a source and tells each step, for tests that kill it: `node scan-process.ts DATABASE_URL SOURCE [STATE_FOLDER]`. */
const [url, name, stateDir] = process.argv.slice(2);
const db = openDatabase(url!);
const source = await findSource(db, name!);
const threads = createScoutThreads(2);
const store = stateDir === undefined ? undefined : await openStore(stateDir);
const onProgress = ({ step, filesHashed }: { step: string; filesHashed: number }): void =>
  void process.stdout.write(`${step} ${filesHashed}\n`);
await scanSource({ db, source: source!, paths: null, threads, store, log: quietLog, onProgress, signal: new AbortController().signal });
process.stdout.write("done 0\n");
await threads.close();
await db.end();
