import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../../domain/log.ts";
import { stopLeftoverPostgres } from "../../services/postgres.ts";
import { stopLeftoverTemporal } from "../../services/temporal.ts";

export interface StateFolder {
  /** An empty folder for a home's local state. */
  readonly path: string;
  /** What the services' starts said, each as one line. */
  readonly log: Log;
  readonly lines: readonly string[];
  /** Stops whatever runs there and removes it. */
  remove(): Promise<void>;
}

export async function stateFolder(): Promise<StateFolder> {
  const path = await mkdtemp(join(tmpdir(), "casparian-state-"));
  // Another system user may have to reach it.
  await chmod(path, 0o755);
  const lines: string[] = [];
  const write = (message: string): void => void lines.push(message);
  const log: Log = { debug: write, info: write, warn: write, error: write };
  return {
    path,
    log,
    lines,
    remove: async () => {
      await Promise.all([stopLeftoverPostgres(path, log), stopLeftoverTemporal(path, log)]);
      await rm(path, { recursive: true, force: true });
    },
  };
}
