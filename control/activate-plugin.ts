import { insertAudit } from "../db/audit.ts";
import { activateArtifact, lockPluginName, type PluginSummary } from "../db/plugin.ts";
import { transaction } from "../db/pool.ts";
import { replaceManifestRules } from "../db/routing-rule.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin, findPluginVersion } from "./find-plugin.ts";

export interface ActivatedPlugin {
  readonly plugin: PluginSummary;
  /** The version that was active before; null for none. */
  readonly before: string | null;
  /** False where it was the active one already. */
  readonly changed: boolean;
}

/** Makes an earlier version of a plugin the one that takes files, with the rules of its manifest. Throws WrongUse for an unknown one. */
export async function activatePlugin({ db, actor }: ControlContext, name: string, version: string): Promise<ActivatedPlugin> {
  return transaction(db, async (tx) => {
    await lockPluginName(tx, name);
    const chosen = await findPluginVersion(tx, name, version);
    const before = (await findPlugin(tx, name)).find((plugin) => plugin.state === "ACTIVE")?.version ?? null;
    if (chosen.state === "ACTIVE") return { plugin: chosen, before, changed: false };
    await activateArtifact(tx, name, chosen.id);
    await replaceManifestRules(tx, name, chosen.manifest.patterns);
    await insertAudit(tx, { actor, action: "plugin.activate", subject: `${name}@${version}`, detail: { retired: before } });
    return { plugin: { ...chosen, state: "ACTIVE" }, before, changed: true };
  });
}
