import { findAlteredContent } from "../bridge/environment-files.ts";
import { findDamageNow, retireEnvironment } from "../bridge/environment-health.ts";
import { environmentRoot } from "../bridge/environment-store.ts";
import { ensureEnvironment } from "../bridge/environments.ts";
import { insertAudit } from "../db/audit.ts";
import { loadEnvironment } from "../db/plugin.ts";
import type { Log } from "../domain/log.ts";
import type { ControlContext } from "./context.ts";
import { listEnvironments, type EnvironmentStanding } from "./list-environments.ts";
import type { PluginTools } from "./plugin-tools.ts";

export interface EnvironmentCheck {
  readonly stateDir: string;
  /** Builds damaged ones anew where a version on record needs them, and removes the others. */
  readonly repair: boolean;
  readonly tools: () => Promise<PluginTools>;
  readonly log: Log;
  readonly onProgress: (step: string) => void;
  readonly signal: AbortSignal;
}

export interface CheckedEnvironment extends EnvironmentStanding {
  /** What is wrong with it; null where every file is as it was built, and as the packages' own lists say. */
  readonly damage: string | null;
  /** `aside`: a process uses it, so it stays until that ends, and nobody else takes it. */
  readonly outcome: "whole" | "damaged" | "rebuilt" | "removed" | "aside";
}

/**
 * Reads every file of this home's Python environments and compares it with what was built. What a killed build has left is no environment and
 * not looked at. Throws the failures of a build, which leave the damaged one out of use.
 */
export async function verifyEnvironments(context: ControlContext, check: EnvironmentCheck): Promise<readonly CheckedEnvironment[]> {
  const checked: CheckedEnvironment[] = [];
  for (const environment of await listEnvironments(context, check.stateDir)) {
    check.signal.throwIfAborted();
    const { folder, hash } = environment;
    if (hash === null) continue;
    check.onProgress(`Looking at ${folder} …`);
    const damage = (await findDamageNow(folder)) ?? (await findAlteredContent(folder));
    const outcome = damage === null ? "whole" : check.repair ? await mend(context, { ...environment, hash, damage }, check) : "damaged";
    checked.push({ ...environment, damage, outcome });
  }
  return checked;
}

async function mend(
  { db, actor }: ControlContext,
  { folder, hash, plugins, damage }: EnvironmentStanding & { readonly hash: string; readonly damage: string },
  { stateDir, tools: findTools, log, onProgress, signal }: EnvironmentCheck,
): Promise<CheckedEnvironment["outcome"]> {
  const root = environmentRoot(stateDir);
  const removed = await retireEnvironment(root, folder, signal);
  let outcome: CheckedEnvironment["outcome"] = removed ? "removed" : "aside";
  if (plugins.some(({ state }) => state !== "REJECTED")) {
    const tools = await findTools();
    const environment = await loadEnvironment(db, hash);
    await ensureEnvironment({ ...tools, environment, root, interpreter: tools.python, anew: true, log, onProgress, signal });
    outcome = "rebuilt";
  }
  await insertAudit(db, { actor, action: "environment.repair", subject: folder, detail: { hash, damage, outcome } });
  return outcome;
}
