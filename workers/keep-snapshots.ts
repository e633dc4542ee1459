import type { Database } from "../db/pool.ts";
import type { Log } from "../domain/log.ts";
import { pruneSnapshots } from "../snapshots/prune.ts";
import type { SnapshotStore } from "../snapshots/store.ts";
import { sweepStore } from "../snapshots/sweep.ts";
import { every } from "./every.ts";

/** Milliseconds. */
const pruneIntervalMs = 60_000;
const sweepIntervalMs = 3_600_000;

/** Takes away the copies that sources' settings no longer keep, and what died scans have left among them. */
export function keepSnapshots(options: { readonly db: Database; readonly store: SnapshotStore; readonly log: Log }): {
  readonly stop: () => Promise<void>;
} {
  const { db, store, log } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const unlessStopping = (error: unknown): void => {
    if (!signal.aborted) throw error;
  };
  const prune = async (): Promise<void> => {
    const { contents, bytes } = await pruneSnapshots(db, store, { signal });
    if (contents > 0) log.info("copies that no source keeps any more were removed", { contents, bytes });
  };
  const sweep = async (): Promise<void> => {
    const files = await sweepStore(db, store, { signal });
    if (files > 0) log.info("copies that were not recorded were removed", { files });
  };
  const pruning = every(pruneIntervalMs, "removing old copies", log, () => prune().catch(unlessStopping));
  const sweeping = every(sweepIntervalMs, "removing what is left of unfinished copies", log, () => sweep().catch(unlessStopping));
  return {
    async stop() {
      stopping.abort(new Error("the worker stops"));
      await Promise.all([pruning.stop(), sweeping.stop()]);
    },
  };
}
