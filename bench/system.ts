import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa, type ResultPromise } from "execa";
import { openDatabase, type Database } from "../db/pool.ts";
import { readRunFile, type RunFile } from "../services/run-file.ts";
import { peakMemoryOf } from "./peak-memory.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A running product in a folder of its own, as a user has it: `casparian start` in another process. */
export interface BenchSystem extends AsyncDisposable {
  readonly home: string;
  readonly db: Database;
  /** Runs a command of the product's command line and returns what it prints as JSON. */
  readonly casparian: (...args: readonly string[]) => Promise<unknown>;
  /** The Python of the standard environment, for the scripts that we are compared with. */
  readonly python: () => Promise<string>;
  /** Peak resident memory of our Node process so far, bytes. */
  readonly peakMemory: () => number;
}

/** Starts the product in a temporary folder; disposing stops it and removes the folder. */
export async function startBenchSystem(): Promise<BenchSystem> {
  const home = await mkdtemp(join(tmpdir(), "casparian-bench-"));
  const env = { CASPARIAN_TOOLS_DIR: process.env["CASPARIAN_TOOLS_DIR"] ?? join(root, ".casparian/tools") };
  const run = (args: readonly string[]) => execa(process.execPath, [join(root, "bin/casparian.js"), "--home", home, ...args], { env });
  const system: ResultPromise = run(["start"]);
  const running = await waitUntilRunning(home, system);
  const db = openDatabase(running.database.url);
  return {
    home,
    db,
    async casparian(...args) {
      const { stdout } = await run([...args, "--json"]);
      return stdout === "" ? null : JSON.parse(stdout);
    },
    async python() {
      const { stdout } = await execa("find", [join(home, ".casparian/environments"), "-path", "*/bin/python", "-not", "-path", "*/.*tmp*"]);
      return stdout.split("\n")[0]!;
    },
    peakMemory: () => peakMemoryOf(running.pid),
    async [Symbol.asyncDispose]() {
      await db.end();
      system.kill("SIGTERM");
      await system.catch(() => {});
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Not by asking `status`: as long as nothing runs there, it would hold the folder itself. */
async function waitUntilRunning(home: string, system: ResultPromise): Promise<RunFile> {
  let failed: unknown;
  system.catch((error: unknown) => (failed = error));
  for (;;) {
    if (failed !== undefined) throw failed;
    const running = await readRunFile(join(home, ".casparian"));
    if (running !== null) return running;
    await setTimeout(50);
  }
}
