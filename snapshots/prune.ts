import { rm } from "node:fs/promises";
import { transaction, type Database, type Queryable } from "../db/pool.ts";
import { countAwaited, hasRetention, releaseExpired, releaseSource, takeReleased } from "../db/snapshot-retention.ts";
import { alone, type StoredContent } from "../db/snapshot.ts";
import { snapshotPath, type SnapshotStore } from "./store.ts";

/** Copies taken out of a store at once: scans wait that long. */
const batchSize = 500;

export interface PruneOptions {
  /** Removes nothing. */
  readonly dryRun?: boolean;
  /** Takes away what the source of this name keeps, whatever its settings say. */
  readonly allOf?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Pruned {
  /** Contents that were removed, or would be. */
  readonly contents: number;
  readonly bytes: number;
  /** Contents that stay for now, because work that has not ended needs them. */
  readonly awaited: number;
}

/**
 * Takes away the copies that no source's settings keep any more, but for those that a waiting or running job, or a version in the outbox,
 * needs. The record goes first and the files follow: dying in between leaves files that the sweep removes.
 */
export async function pruneSnapshots(db: Database, store: SnapshotStore, options: PruneOptions = {}): Promise<Pruned> {
  let contents = 0;
  let bytes = 0;
  for (;;) {
    options.signal?.throwIfAborted();
    const { released, taken } = await alone(db, store.id, () => pruneBatch(db, store, options));
    contents += taken.length;
    bytes += taken.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (options.dryRun === true || (released === 0 && taken.length === 0)) break;
  }
  return { contents, bytes, awaited: await countAwaited(db, store.id) };
}

interface Batch {
  readonly released: number;
  readonly taken: readonly StoredContent[];
}

async function pruneBatch(db: Database, store: SnapshotStore, { dryRun, allOf }: PruneOptions): Promise<Batch> {
  const limit = dryRun === true ? 1_000_000_000 : batchSize;
  const batch = await tryOut(db, dryRun === true, async (tx) => {
    const released = allOf === undefined ? await releaseByLimits(tx, store, limit) : await releaseSource(tx, store.id, allOf, limit);
    return { released, taken: await takeReleased(tx, store.id, limit) };
  });
  if (dryRun !== true) await Promise.all(batch.taken.map(({ hash }) => rm(snapshotPath(store.folder, hash), { force: true })));
  return batch;
}

async function releaseByLimits(tx: Queryable, store: SnapshotStore, limit: number): Promise<number> {
  return (await hasRetention(tx)) ? releaseExpired(tx, store.id, limit) : 0;
}

/** With `undo` everything is done and taken back. */
async function tryOut<T>(db: Database, undo: boolean, work: (tx: Queryable) => Promise<T>): Promise<T> {
  let result: { readonly value: T } | undefined;
  try {
    return await transaction(db, async (tx) => {
      result = { value: await work(tx) };
      if (undo) throw new Error("taken back");
      return result.value;
    });
  } catch (error) {
    if (undo && result !== undefined) return result.value;
    throw error;
  }
}
