import type { Database } from "../db/pool.ts";
import type { Log } from "../domain/log.ts";
import { pruneSnapshots } from "../snapshots/prune.ts";
import { findStore, type SnapshotStore } from "../snapshots/store.ts";
import { sweepStore } from "../snapshots/sweep.ts";
import { every } from "./every.ts";

/** Milliseconds. */
const pruneIntervalMs = 60_000;
const sweepIntervalMs = 3_600_000;

/** Takes away the copies that sources' settings no longer keep, and what died scans have left among them. */
export function keepSnapshots(options: { readonly db: Database; readonly stateDir: string; readonly log: Log }): {
  readonly stop: () => Promise<void>;
} {
  const { db, stateDir, log } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const withStore = async (work: (store: SnapshotStore) => Promise<void>): Promise<void> => {
    const store = await findStore(stateDir);
    if (store === null) return;
    await work(store).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  };
  const pruning = every(pruneIntervalMs, "removing old copies", log, () =>
    withStore(async (store) => {
      const { contents, bytes } = await pruneSnapshots(db, store, { signal });
      if (contents > 0) log.info("copies that no source keeps any more were removed", { contents, bytes });
    }),
  );
  const sweeping = every(sweepIntervalMs, "removing what is left of unfinished copies", log, () =>
    withStore(async (store) => {
      const files = await sweepStore(db, store, { signal });
      if (files > 0) log.info("copies that were not recorded were removed", { files });
    }),
  );
  return {
    async stop() {
      stopping.abort(new Error("the worker stops"));
      await Promise.all([pruning.stop(), sweeping.stop()]);
    },
  };
}
