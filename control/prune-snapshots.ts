import { insertAudit } from "../db/audit.ts";
import { findSource as findAnySource } from "../db/source-root.ts";
import { pruneSnapshots as prune, type Pruned } from "../snapshots/prune.ts";
import { findStore } from "../snapshots/store.ts";
import type { ControlContext } from "./context.ts";
import { findSource } from "./find-source.ts";

export type { Pruned } from "../snapshots/prune.ts";

export interface PruneRequest {
  readonly stateDir: string;
  readonly dryRun: boolean;
  /** Takes away all that this source keeps, also of a removed one. */
  readonly allOf?: string | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Takes away the copies in this home's store that sources' settings no longer keep, as workers do each minute. What a job that has not
 * ended needs stays. Throws WrongUse for an unknown source.
 */
export async function pruneSnapshots({ db, actor }: ControlContext, request: PruneRequest): Promise<Pruned> {
  const { stateDir, dryRun, allOf, signal } = request;
  // One that was removed may still keep copies; a name that nobody knows is told with what comes near.
  if (allOf !== undefined && (await findAnySource(db, allOf)) === null) await findSource(db, allOf);
  const store = await findStore(stateDir);
  if (store === null) return { contents: 0, bytes: 0, awaited: 0 };
  const pruned = await prune(db, store, { dryRun, allOf, signal });
  if (!dryRun && pruned.contents > 0) {
    await insertAudit(db, { actor, action: "snapshot.prune", subject: allOf ?? "all sources", detail: { ...pruned } });
  }
  return pruned;
}
