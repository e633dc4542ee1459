import { insertAudit } from "../db/audit.ts";
import { activateArtifact, lockPluginName, type PluginSummary } from "../db/plugin.ts";
import { transaction } from "../db/pool.ts";
import { activeRules, replaceManifestRules } from "../db/routing-rule.ts";
import { backfill, type Backlog, type BackfillOptions } from "./backfill.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin, findPluginVersion } from "./find-plugin.ts";

export interface ActivatedPlugin {
  readonly plugin: PluginSummary;
  /** The version that was active before; null for none. */
  readonly before: string | null;
  /** False where it was the active one already. */
  readonly changed: boolean;
  /** What of the files on record this version takes. */
  readonly backlog: Backlog;
}

/**
 * Makes an earlier version of a plugin the one that takes files, with the rules of its manifest, and counts what of the record it takes;
 * with `insert` that is queued as well. Throws WrongUse for an unknown one.
 */
export async function activatePlugin(
  context: ControlContext,
  name: string,
  version: string,
  options: BackfillOptions = { insert: false },
): Promise<ActivatedPlugin> {
  const { db, actor } = context;
  const activated = await transaction(db, async (tx) => {
    await lockPluginName(tx, name);
    const chosen = await findPluginVersion(tx, name, version);
    const before = (await findPlugin(tx, name)).find((plugin) => plugin.state === "ACTIVE")?.version ?? null;
    if (chosen.state === "ACTIVE") return { plugin: chosen, before, changed: false };
    await activateArtifact(tx, name, chosen.id);
    await replaceManifestRules(tx, name, chosen.manifest.patterns);
    await insertAudit(tx, { actor, action: "plugin.activate", subject: `${name}@${version}`, detail: { retired: before } });
    return { plugin: { ...chosen, state: "ACTIVE" as const }, before, changed: true };
  });
  return { ...activated, backlog: await backfill(context, { rules: await activeRules(db), plugin: name }, options) };
}
