import { insertAudit } from "../db/audit.ts";
import { backlogVersions, countWaiting, jobsHad, offerVersions, type BacklogVersion } from "../db/backlog.ts";
import { transaction } from "../db/pool.ts";
import { activeRules, findRule, type ActiveRule } from "../db/routing-rule.ts";
import { WrongUse } from "../domain/failure.ts";
import { createRouter, type Route } from "../domain/route.ts";
import type { ControlContext } from "./context.ts";
import { findPluginVersion } from "./find-plugin.ts";
import { findSource } from "./find-source.ts";

/** Which versions on record are offered to plugins that have not had them. */
export interface BacklogScope {
  /** All rules that do something, as they are or would be. */
  readonly rules: readonly ActiveRule[];
  /** Only files that this rule takes, for the plugins that it leads to, by its tag as well. */
  readonly rule?: ActiveRule | undefined;
  /** Only for this plugin. */
  readonly plugin?: string | undefined;
  readonly sourceIds?: readonly string[] | undefined;
  /** Older versions as well, of sources that keep snapshots. */
  readonly allVersions?: boolean | undefined;
}

/** What of the record the scope takes. */
export interface Backlog {
  /** Present files that are taken, and the bytes of their versions that are looked at. */
  readonly files: number;
  readonly bytes: number;
  /** Some of their paths. */
  readonly examples: readonly string[];
  readonly plugins: readonly PluginBacklog[];
  /** Versions that a plugin has not had. */
  readonly missing: number;
  /** Of these, the ones that wait to be planned already. */
  readonly waiting: number;
  /** Of these, the ones that were queued now. */
  readonly queued: number;
}

/** How one plugin's active version stands to the versions that it takes. */
export interface PluginBacklog {
  readonly plugin: string;
  readonly version: string;
  /** Versions that it has a job for, whatever became of it. */
  readonly had: number;
  /** Versions that only another version of the plugin has a job for. */
  readonly hadOther: number;
  /** Versions that it would get: those of `hadOther`, and those that no version of the plugin has had. */
  readonly missing: number;
}

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
const examplesMax = 3;

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

function createTally(scope: BacklogScope) {
  const router = createRouter(scope.rules);
  const wanted = pluginsOf(scope);
  const plugins = new Map<string, { plugin: string; version: string; had: number; hadOther: number; missing: number }>();
  for (const rule of scope.rules) {
    if (rule.pluginId === null || rule.pluginName === null || !wanted(rule.pluginName)) continue;
    plugins.set(rule.pluginId, { plugin: rule.pluginName, version: rule.activeVersion!, had: 0, hadOther: 0, missing: 0 });
  }
  const examples: string[] = [];
  let files = 0;
  let bytes = 0;
  let missing = 0;
  let lastLocation = "";
  let chosen: { readonly versionId: string; readonly routes: readonly Route<ActiveRule>[] }[] = [];
  return {
    pluginNames: [...plugins.values()].map(({ plugin }) => plugin),
    /** Takes the next versions, and returns the ids of those that go to a plugin. */
    choose(versions: readonly BacklogVersion[]): readonly string[] {
      chosen = [];
      for (const { locationId, sourceId, path, versionId, sizeBytes } of versions) {
        const routes = router.route(path, sourceId).filter((route) => wanted(route.pluginName));
        if (scope.rule === undefined ? routes.length === 0 : !router.takes(scope.rule, path, sourceId)) continue;
        if (locationId !== lastLocation) {
          files += 1;
          if (examples.length < examplesMax) examples.push(path);
        }
        bytes += sizeBytes;
        lastLocation = locationId;
        if (routes.length > 0) chosen.push({ versionId, routes });
      }
      return chosen.map(({ versionId }) => versionId);
    },
    /** Counts the chosen versions by the jobs that they have had, and returns those that lack one. */
    count(jobs: readonly { readonly versionId: string; readonly pluginId: string; readonly pluginName: string }[]): readonly string[] {
      const had = new Set(jobs.flatMap((job) => [`${job.versionId} ${job.pluginId}`, `${job.versionId} ${job.pluginName}`]));
      const lacking = chosen.filter(({ versionId, routes }) => {
        let lacks = false;
        for (const { pluginId, pluginName } of routes) {
          const plugin = plugins.get(pluginId)!;
          if (had.has(`${versionId} ${pluginId}`)) plugin.had += 1;
          else {
            lacks = true;
            plugin.missing += 1;
            if (had.has(`${versionId} ${pluginName}`)) plugin.hadOther += 1;
          }
        }
        return lacks;
      });
      missing += lacking.length;
      return lacking.map(({ versionId }) => versionId);
    },
    result: () => ({ files, bytes, examples, plugins: [...plugins.values()].toSorted((a, b) => (a.plugin < b.plugin ? -1 : 1)), missing }),
  };
}

function pluginsOf({ rules, rule, plugin }: BacklogScope): (pluginName: string) => boolean {
  if (rule === undefined) return (name) => plugin === undefined || name === plugin;
  const names = new Set(rules.filter((other) => other.tagged !== null && other.tagged === rule.tag).map((other) => other.pluginName));
  names.add(rule.pluginName);
  return (name) => names.has(name) && (plugin === undefined || name === plugin);
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
  const rule = request.ruleId === undefined ? undefined : await requireRule(context, request.ruleId, rules);
  return backfill(context, { rules, rule, plugin: request.plugin, sourceIds, allVersions: request.allVersions }, options);
}

async function requireRule({ db }: ControlContext, ruleId: string, rules: readonly ActiveRule[]): Promise<ActiveRule> {
  const active = rules.find((rule) => rule.ruleId === ruleId);
  if (active !== undefined) return active;
  const rule = /^\d{1,18}$/.test(ruleId) ? await findRule(db, ruleId) : null;
  if (rule === null) throw new WrongUse(`there is no rule ${ruleId}`, "casparian rule list shows the rules with their ids");
  if (!rule.enabled) throw new WrongUse(`rule ${ruleId} is disabled, so it takes nothing`, `casparian rule enable ${ruleId}`);
  throw new WrongUse(
    `rule ${ruleId} leads to ${rule.pluginName}, of which no version is active`,
    `casparian plugin activate ${rule.pluginName} VERSION`,
  );
}
