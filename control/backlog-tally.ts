import type { BacklogVersion, HadJob } from "../db/backlog.ts";
import type { ActiveRule } from "../db/routing-rule.ts";
import { createRouter, type Route } from "../domain/route.ts";

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

type PluginCounts = { -readonly [Key in keyof PluginBacklog]: PluginBacklog[Key] };

const examplesMax = 3;

/** Counts versions page by page: `choose` what the scope takes of a page, then `count` it by the jobs that it has had. */
export function createTally(scope: BacklogScope) {
  const router = createRouter(scope.rules);
  const wanted = pluginsOf(scope);
  const plugins = countsOf(scope.rules.filter((rule) => wanted(rule.pluginName)));
  const examples: string[] = [];
  let [files, bytes, missing] = [0, 0, 0];
  let lastLocation = "";
  let chosen: Chosen[] = [];
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
    /** Counts the chosen versions, and returns those that a plugin lacks. */
    count(jobs: readonly HadJob[]): readonly string[] {
      const had = new Set(jobs.flatMap((job) => [`${job.versionId} ${job.pluginId}`, `${job.versionId} ${job.pluginName}`]));
      const lacking = chosen.filter((version) => countOne(version, plugins, had)).map(({ versionId }) => versionId);
      missing += lacking.length;
      return lacking;
    },
    result(): Omit<Backlog, "waiting" | "queued"> {
      return { files, bytes, examples, plugins: [...plugins.values()].toSorted((a, b) => (a.plugin < b.plugin ? -1 : 1)), missing };
    },
  };
}

interface Chosen {
  readonly versionId: string;
  readonly routes: readonly Route<ActiveRule>[];
}

/** Whether a plugin lacks the version. */
function countOne({ versionId, routes }: Chosen, plugins: ReadonlyMap<string, PluginCounts>, had: ReadonlySet<string>): boolean {
  let lacks = false;
  for (const { pluginId, pluginName } of routes) {
    const plugin = plugins.get(pluginId)!;
    if (had.has(`${versionId} ${pluginId}`)) {
      plugin.had += 1;
      continue;
    }
    lacks = true;
    plugin.missing += 1;
    if (had.has(`${versionId} ${pluginName}`)) plugin.hadOther += 1;
  }
  return lacks;
}

function countsOf(rules: readonly ActiveRule[]): ReadonlyMap<string, PluginCounts> {
  const counts = new Map<string, PluginCounts>();
  for (const { pluginId, pluginName, activeVersion } of rules) {
    if (pluginId === null || pluginName === null || activeVersion === null) continue;
    counts.set(pluginId, { plugin: pluginName, version: activeVersion, had: 0, hadOther: 0, missing: 0 });
  }
  return counts;
}

/** The plugins that are asked for: those that the rule leads to, by its tag as well, or the one that is named, or all. */
function pluginsOf({ rules, rule, plugin }: BacklogScope): (pluginName: string | null) => boolean {
  if (rule === undefined) return (name) => plugin === undefined || name === plugin;
  const names = new Set(rules.filter((other) => other.tagged !== null && other.tagged === rule.tag).map((other) => other.pluginName));
  names.add(rule.pluginName);
  return (name) => names.has(name) && (plugin === undefined || name === plugin);
}
