import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { migrate } from "../db/migrate.ts";
import { openDatabase, type Database } from "../db/pool.ts";
import { insertSource } from "../db/source-root.ts";
import { startPostgres } from "../services/postgres.ts";
import { benchLog } from "./log.ts";

/** An embedded record without Temporal, in a folder of its own: for what the scout does by itself. */
export interface BenchRecord extends AsyncDisposable {
  /** Where trees may be made. */
  readonly folder: string;
  readonly db: Database;
  readonly url: string;
  /** Adds a source on a folder, without a settle time, so that one scan is enough. */
  readonly addSource: (name: string, path: string) => Promise<void>;
  /** Scans in a process of its own, so often. */
  readonly scan: (name: string, rounds?: number) => Promise<ScanRun>;
}

export interface ScanRun {
  /** Of each scan. */
  readonly seconds: readonly number[];
  /** Of the scanning process: Node, the walk's and the hashing threads. */
  readonly peakBytes: number;
  readonly report: { readonly filesSeen: number; readonly filesNew: number; readonly filesUnchanged: number };
}

export async function startBenchRecord(): Promise<BenchRecord> {
  const folder = await mkdtemp(join(tmpdir(), "casparian-bench-"));
  const postgres = await startPostgres({ stateDir: join(folder, "state"), log: benchLog });
  const db = openDatabase(postgres.url);
  await migrate(db);
  return {
    folder,
    db,
    url: postgres.url,
    addSource: async (name, path) => void (await insertSource(db, { name, path, settleMs: 0 })),
    async scan(name, rounds = 1) {
      const program = fileURLToPath(new URL("scan-once.ts", import.meta.url));
      // As bin/casparian.js tunes a worker.
      const { stdout } = await execa(process.execPath, ["--max-semi-space-size=2", program, postgres.url, name, String(rounds)], {
        env: { MALLOC_ARENA_MAX: "2" },
        stderr: "inherit",
      });
      return JSON.parse(stdout) as ScanRun;
    },
    async [Symbol.asyncDispose]() {
      await db.end();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
