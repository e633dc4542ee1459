import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Database } from "../db/pool.ts";
import { alone, unknownContents } from "../db/snapshot.ts";
import { errorCode } from "../domain/system-error.ts";
import { incomingFolder, snapshotPath, type SnapshotStore } from "./store.ts";

export interface SweepOptions {
  /** A copy that the record doesn't know is left alone for so long: a scan may be about to record it. */
  readonly unknownMs?: number;
  /** A copy that is being made is written to until then. */
  readonly unfinishedMs?: number;
  readonly signal?: AbortSignal;
}

const hourMs = 3_600_000;

/**
 * Removes what scans and removals that died have left in a store: unfinished copies, and finished ones that the record doesn't know.
 * The ages only save work. That none is taken away under a scan that counts on it is the lock's doing: whoever records a copy looks,
 * under the lock, whether it is there. Returns how many files went.
 */
export async function sweepStore(db: Database, store: SnapshotStore, options: SweepOptions = {}): Promise<number> {
  const { unknownMs = hourMs, unfinishedMs = 24 * hourMs, signal } = options;
  let removed = 0;
  for (const name of await namesIn(incomingFolder(store.folder))) {
    const path = join(incomingFolder(store.folder), name);
    if (!(await isOlder(path, unfinishedMs))) continue;
    await rm(path, { force: true });
    removed += 1;
  }
  for (const prefix of await namesIn(store.folder)) {
    if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
    signal?.throwIfAborted();
    const hashes = (await namesIn(join(store.folder, prefix))).map((rest) => prefix + rest).filter((hash) => /^[0-9a-f]{64}$/.test(hash));
    const unknown = await unknownContents(db, store.id, hashes);
    const old = await Promise.all(unknown.map(async (hash) => isOlder(snapshotPath(store.folder, hash), unknownMs)));
    const chosen = unknown.filter((_, index) => old[index]);
    if (chosen.length === 0) continue;
    await alone(db, store.id, async () => {
      for (const hash of await unknownContents(db, store.id, chosen)) {
        await rm(snapshotPath(store.folder, hash), { force: true });
        removed += 1;
      }
    });
  }
  return removed;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
}

async function isOlder(path: string, ageMs: number): Promise<boolean> {
  const stats = await stat(path).catch(() => null);
  return stats !== null && Date.now() - stats.mtimeMs >= ageMs;
}
