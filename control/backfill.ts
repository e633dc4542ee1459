import { insertAudit } from "../db/audit.ts";
import { backlogVersions, countWaiting, jobsHad, offerVersions } from "../db/backlog.ts";
import { transaction } from "../db/pool.ts";
import { activeRules, type ActiveRule } from "../db/routing-rule.ts";
import { WrongUse } from "../domain/failure.ts";
import { createTally, type Backlog, type BacklogScope } from "./backlog-tally.ts";
import type { ControlContext } from "./context.ts";
import { findPluginVersion } from "./find-plugin.ts";
import { findRule } from "./find-rule.ts";
import { findSource } from "./find-source.ts";

export type { Backlog } from "./backlog-tally.ts";

export interface BackfillOptions {
  /** Whether what is missing is queued, or only counted. */
  readonly insert: boolean;
  /** Ends it between two batches; what is queued by then stays, and the next call queues the rest. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: BackfillProgress) => void) | undefined;
}

export interface BackfillProgress {
  readonly filesSeen: number;
  readonly queued: number;
}

/** Files in a batch, which is a transaction of its own: new arrivals are recorded and planned between any two. */
const batchFiles = 5_000;

/**
 * Counts what plugins have not had of the versions on record, and with `insert` queues it, batch by batch. A queued version is routed by
 * all rules when its turn comes, after what has newly arrived. Doing it again queues only what is missing then.
 */
export async function backfill({ db, actor }: ControlContext, scope: BacklogScope, options: BackfillOptions): Promise<Backlog> {
  const tally = createTally(scope);
  let filesSeen = 0;
  let queued = 0;
  let waiting = 0;
  for (let afterId = "0"; ;) {
    options.signal?.throwIfAborted();
    const page = { sourceIds: scope.sourceIds ?? null, allVersions: scope.allVersions === true, afterId, limit: batchFiles };
    const versions = await backlogVersions(db, page);
    if (versions.length === 0) return { ...tally.result(), waiting, queued };
    const taken = tally.choose(versions);
    const had = taken.length === 0 ? [] : await jobsHad(db, taken, tally.pluginNames);
    const missing = tally.count(had);
    if (missing.length > 0) {
      const added = options.insert ? await offer(missing) : missing.length - (await countWaiting(db, missing));
      waiting += missing.length - added;
      if (options.insert) queued += added;
    }
    afterId = versions.at(-1)!.locationId;
    filesSeen += new Set(versions.map((version) => version.locationId)).size;
    options.onProgress?.({ filesSeen, queued });
  }

  async function offer(versionIds: readonly string[]): Promise<number> {
    return transaction(db, async (tx) => {
      const added = await offerVersions(tx, versionIds);
      // Once for all batches, with the first that queues something.
      if (queued === 0 && added > 0)
        await insertAudit(tx, { actor, action: "backfill", subject: describeScope(scope), detail: detailOf(scope) });
      return added;
    });
  }
}

/** `backfill` of what one rule takes, which need not be among the active ones: it may be about to come or to be enabled. */
export async function backfillRule(context: ControlContext, rule: ActiveRule, options: BackfillOptions): Promise<Backlog> {
  const others = (await activeRules(context.db)).filter((candidate) => candidate.ruleId !== rule.ruleId);
  return backfill(context, { rules: [...others, rule], rule }, options);
}

function describeScope({ rule, plugin }: BacklogScope): string {
  if (plugin !== undefined) return plugin;
  return rule === undefined ? "all plugins" : `rule ${rule.ruleId}`;
}

function detailOf({ rule, plugin, sourceIds, allVersions }: BacklogScope): Readonly<Record<string, unknown>> {
  return { rule: rule?.ruleId ?? null, plugin: plugin ?? null, sourceIds: sourceIds ?? null, allVersions: allVersions === true };
}

export interface BackfillRequest {
  /** All plugins unless given. */
  readonly plugin?: string | undefined;
  readonly ruleId?: string | undefined;
  readonly source?: string | undefined;
  readonly allVersions: boolean;
}

/** `backfill` by names. Throws WrongUse for an unknown plugin, rule or source, and for one that can take nothing now. */
export async function backfillNamed(context: ControlContext, request: BackfillRequest, options: BackfillOptions): Promise<Backlog> {
  const { db } = context;
  if (request.plugin !== undefined) await findPluginVersion(db, request.plugin);
  const sourceIds = request.source === undefined ? undefined : [(await findSource(db, request.source)).id];
  const rules = await activeRules(db);
  const rule = request.ruleId === undefined ? undefined : await requireActiveRule(context, request.ruleId, rules);
  return backfill(context, { rules, rule, plugin: request.plugin, sourceIds, allVersions: request.allVersions }, options);
}

async function requireActiveRule({ db }: ControlContext, ruleId: string, rules: readonly ActiveRule[]): Promise<ActiveRule> {
  const active = rules.find((rule) => rule.ruleId === ruleId);
  if (active !== undefined) return active;
  const rule = await findRule(db, ruleId);
  if (!rule.enabled) throw new WrongUse(`rule ${ruleId} is disabled, so it takes nothing`, `casparian rule enable ${ruleId}`);
  throw new WrongUse(
    `rule ${ruleId} leads to ${rule.pluginName}, of which no version is active`,
    `casparian plugin activate ${rule.pluginName} VERSION`,
  );
}
