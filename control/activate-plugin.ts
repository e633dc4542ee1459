import { insertAudit } from "../db/audit.ts";
import { activateArtifact, lockPluginName, type PluginSummary } from "../db/plugin.ts";
import { transaction, type Queryable } from "../db/pool.ts";
import { activeRules, replaceManifestRules } from "../db/routing-rule.ts";
import { WrongUse } from "../domain/failure.ts";
import { backfill, type Backlog, type BackfillOptions } from "./backfill.ts";
import type { ControlContext } from "./context.ts";
import type { ComparisonSummary } from "../db/comparison.ts";
import { findPlugin, findPluginVersion } from "./find-plugin.ts";
import { identify } from "./identify.ts";
import { recordPromotion, type ProofOptions } from "./prove-promotion.ts";
import { refuseRejected } from "./reject-plugin.ts";

export interface ActivatedPlugin {
  readonly plugin: PluginSummary;
  /** The version that was active before; null for none. */
  readonly before: string | null;
  /** False where it was the active one already. */
  readonly changed: boolean;
  /** Of it with the version that was active before; null where they were not compared. */
  readonly comparison: ComparisonSummary | null;
  /** What of the files on record this version takes. */
  readonly backlog: Backlog;
}

type Choose = (tx: Queryable) => Promise<PluginSummary>;

/**
 * Makes a version of a plugin the one that takes files, with the rules of its manifest, and counts what of the record it takes; with
 * `insert` that is queued as well. Throws WrongUse for an unknown or rejected one, and as `recordPromotion` does.
 */
export async function activatePlugin(
  context: ControlContext,
  name: string,
  version: string,
  options: BackfillOptions & ProofOptions = { insert: false },
): Promise<ActivatedPlugin> {
  return activate(context, name, (tx) => findPluginVersion(tx, name, version), options);
}

/**
 * Activates the version that was the active one before the present one. It has no proof to give, because it is for when something went wrong. Throws
 * WrongUse where there was none.
 */
export async function rollBackPlugin(
  context: ControlContext,
  name: string,
  options: BackfillOptions = { insert: false },
): Promise<ActivatedPlugin> {
  return activate(context, name, (tx) => findPrevious(tx, name), options);
}

async function activate(
  context: ControlContext,
  name: string,
  choose: Choose,
  options: BackfillOptions & ProofOptions,
): Promise<ActivatedPlugin> {
  const { db, actor } = context;
  const identity = await identify(context);
  const activated = await transaction(db, async (tx) => {
    await lockPluginName(tx, name);
    const chosen = await choose(tx);
    const replaced = (await findPlugin(tx, name)).find((plugin) => plugin.state === "ACTIVE") ?? null;
    const before = replaced?.version ?? null;
    if (chosen.state === "ACTIVE") return { plugin: chosen, before, changed: false, comparison: null };
    refuseRejected(chosen);
    const comparison = await recordPromotion(tx, actor, { chosen, replaced }, options);
    await activateArtifact(tx, name, chosen.id);
    await replaceManifestRules(tx, name, chosen.manifest.patterns);
    const detail = { retired: before, comparison: comparison?.id ?? null, acceptDifferences: options.acceptDifferences === true };
    await insertAudit(tx, { actor, identity, action: "plugin.activate", subject: `${name}@${chosen.version}`, detail });
    return { plugin: await findPluginVersion(tx, name, chosen.version), before, changed: true, comparison };
  });
  return { ...activated, backlog: await backfill(context, { rules: await activeRules(db), plugin: name }, options) };
}

async function findPrevious(tx: Queryable, name: string): Promise<PluginSummary> {
  const versions = await findPlugin(tx, name);
  const retired = versions.filter(({ state }) => state === "RETIRED");
  const [previous] = retired.toSorted((a, b) => b.activatedAt!.getTime() - a.activatedAt!.getTime());
  if (previous !== undefined) return previous;
  throw new WrongUse(
    `no other version of ${name} was active before`,
    `Versions: ${versions.map(({ version, state }) => `${version} (${state.toLowerCase()})`).join(", ")}`,
  );
}
