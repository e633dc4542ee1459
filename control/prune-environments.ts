import { environmentRoot, pruneEnvironments as prune, type BuiltEnvironment } from "../bridge/environment-store.ts";
import { insertAudit } from "../db/audit.ts";
import { listPlugins } from "../db/plugin.ts";
import type { ControlContext } from "./context.ts";

export interface EnvironmentPruneRequest {
  readonly stateDir: string;
  readonly dryRun: boolean;
  /** Those of active versions, too. */
  readonly all: boolean;
  /** Only those that nothing has used for so long. */
  readonly unusedMs?: number | undefined;
  /** Stops when the others have no more bytes than this. */
  readonly bytesMax?: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * Removes Python environments of this home, the least recently used first: those of no active version unless `all` is set. One that is used
 * now, or was within ten minutes, stays. Each can be built again from its lock on record.
 */
export async function pruneEnvironments(
  { db, actor }: ControlContext,
  { stateDir, dryRun, all, unusedMs = 0, bytesMax, signal }: EnvironmentPruneRequest,
): Promise<readonly BuiltEnvironment[]> {
  const active = new Set((await listPlugins(db, null)).filter(({ state }) => state === "ACTIVE").map((plugin) => plugin.environmentHash));
  const may = ({ hash, usedAt }: BuiltEnvironment): boolean =>
    hash === null || ((all || !active.has(hash)) && Date.now() - usedAt.getTime() >= unusedMs);
  const gone = await prune({ root: environmentRoot(stateDir), may, bytesMax, dryRun, signal });
  if (!dryRun && gone.length > 0) {
    const bytes = gone.reduce((sum, environment) => sum + environment.bytes, 0);
    await insertAudit(db, { actor, action: "environment.prune", subject: stateDir, detail: { environments: gone.length, bytes } });
  }
  return gone;
}
