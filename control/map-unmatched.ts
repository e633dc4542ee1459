import { presentFiles } from "../db/file-location.ts";
import { activeRules, listRules, type RuleRow } from "../db/routing-rule.ts";
import { listPlugins, type PluginSummary } from "../db/plugin.ts";
import { listSources } from "../db/source-root.ts";
import { createRouter, explainRule } from "../domain/route.ts";
import type { ControlContext } from "./context.ts";
import { createGroups, endingOf, type FileGroup, type GroupList } from "./file-groups.ts";
import { findSource } from "./find-source.ts";

export const groupings = ["extension", "folder", "size", "age"] as const;
export type Grouping = (typeof groupings)[number];

/** The files that no rule sends to an active plugin, by what they have in common. */
export interface UnmatchedMap {
  /** Present files of the source and tag asked for. */
  readonly present: number;
  /** Of these, the ones that no plugin takes. */
  readonly files: number;
  readonly bytes: number;
  readonly by: Readonly<Partial<Record<Grouping, GroupList>>>;
  readonly suggestions: readonly Suggestion[];
}

export interface Suggestion {
  /** How many files it is for. */
  readonly files: number;
  /** One sentence without a full stop. */
  readonly reason: string;
  readonly command: string;
}

export interface MapRequest {
  readonly source?: string | undefined;
  /** Only files that a rule gives this tag. */
  readonly tag?: string | undefined;
  /** Groups in each list at most. */
  readonly limit: number;
  /** All groupings unless given. */
  readonly by?: Grouping | undefined;
}

const suggestionsMax = 5;

/** Groups every present file that no enabled rule with an active plugin takes. Throws WrongUse for an unknown source. */
export async function mapUnmatched({ db }: ControlContext, request: MapRequest): Promise<UnmatchedMap> {
  const sourceIds = request.source === undefined ? undefined : [(await findSource(db, request.source)).id];
  const router = createRouter(await activeRules(db));
  const sources = new Map((await listSources(db)).map((source) => [source.id, source.name]));
  const counted = Object.fromEntries(groupings.map((grouping) => [grouping, createGroups()])) as Record<
    Grouping,
    ReturnType<typeof createGroups>
  >;
  const nowMs = Date.now();
  let present = 0;
  let files = 0;
  let bytes = 0;
  for await (const page of presentFiles(db, sourceIds)) {
    for (const file of page) {
      if (request.tag !== undefined && !router.tagsOf(file.path, file.sourceId).includes(request.tag)) continue;
      present += 1;
      // An archive that no rule takes is there for its members.
      if (file.isOpened || router.route(file.path, file.sourceId).length > 0) continue;
      files += 1;
      bytes += file.sizeBytes;
      counted.extension.add(endingOf(file.path), file);
      counted.folder.add(`${sources.get(file.sourceId) ?? "?"}/${topFolder(file.path)}`, file);
      counted.size.add(classOf(sizeClasses, file.sizeBytes), file);
      counted.age.add(classOf(ageClasses, nowMs - file.modifiedAtMs), file);
    }
  }
  const wanted = request.by === undefined ? groupings : [request.by];
  const by = Object.fromEntries(wanted.map((grouping) => [grouping, listOf(grouping, counted[grouping], request.limit)]));
  const largest = counted.extension.largest(suggestionsMax).groups;
  const rules = await listRules(db);
  const patterns = patternsOf(rules, await listPlugins(db, null));
  const suggestions = largest.flatMap((group) => suggest(group, { rules, patterns, router, sources }) ?? []);
  return { present, files, bytes, by, suggestions: distinct(suggestions) };
}

/** Upper bounds, exclusive; the last class is open. */
type Classes = readonly (readonly [string, number])[];

const sizeClasses: Classes = [
  ["empty", 1],
  ["below 10 kB", 1e4],
  ["10 kB to 1 MB", 1e6],
  ["1 MB to 100 MB", 1e8],
  ["100 MB to 10 GB", 1e10],
  ["from 10 GB", Infinity],
];

const dayMs = 86_400_000;
const ageClasses: Classes = [
  ["last 24 hours", dayMs],
  ["last 7 days", 7 * dayMs],
  ["last 30 days", 30 * dayMs],
  ["last year", 365 * dayMs],
  ["older", Infinity],
];

function classOf(classes: Classes, value: number): string {
  return classes.find(([, below]) => value < below)?.[0] ?? "";
}

function topFolder(path: string): string {
  const slash = path.indexOf("/");
  return slash < 0 ? "" : path.slice(0, slash + 1);
}

/** Classes are listed in their own order, names by their files. */
function listOf(grouping: Grouping, groups: ReturnType<typeof createGroups>, limit: number): GroupList {
  if (grouping === "extension" || grouping === "folder") return groups.largest(limit);
  const order = (grouping === "size" ? sizeClasses : ageClasses).map(([name]) => name);
  const all = groups.largest(order.length);
  return { ...all, groups: all.groups.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name)) };
}

interface Known {
  readonly rules: readonly RuleRow[];
  /** What each plugin with an active version is for, by its manifest and its rules. */
  readonly patterns: ReadonlyMap<string, readonly string[]>;
  readonly router: ReturnType<typeof createRouter>;
  readonly sources: ReadonlyMap<string, string>;
}

/** The next step for the files of one ending: what is nearly there already goes before a new rule. */
function suggest({ name, files, example, oneSource }: FileGroup, known: Known): Suggestion | null {
  const { path, sourceId } = example;
  const tags = known.router.tagsOf(path, sourceId);
  const matching = (rule: RuleRow): boolean => explainRule(path, sourceId, { ...rule, enabled: true }, tags).matches;
  const near = known.rules.find((rule) => rule.pluginName !== null && matching(rule));
  if (near !== undefined && !near.enabled) {
    const reason = `rule ${near.ruleId} (${near.pattern}) would take such files, and is disabled`;
    return { files, reason, command: `casparian rule enable ${near.ruleId} --dry-run` };
  }
  if (near !== undefined) {
    const reason = `rule ${near.ruleId} (${near.pattern}) takes such files to ${near.pluginName}, of which no version is active`;
    return { files, reason, command: `casparian plugin publish FILE --name ${near.pluginName}` };
  }
  if (tags[0] !== undefined) {
    return {
      files,
      reason: `they are tagged ${tags[0]}, which leads to no plugin`,
      command: `casparian rule add --tagged ${tags[0]} PLUGIN`,
    };
  }
  // What a shell or a glob would take for something else is left to the person.
  if (!/^\.[\w-]+$/.test(name)) return null;
  const fitting = [...known.patterns].flatMap(([plugin, patterns]) => (patterns.some((each) => endsLike(each, name)) ? [plugin] : []));
  const plugin = fitting.length === 1 ? fitting[0]! : "PLUGIN";
  const source = oneSource ? ` --source ${known.sources.get(sourceId) ?? ""}` : "";
  const reason =
    fitting.length === 0
      ? `no plugin takes *${name}`
      : `${fitting.join(" and ")} ${fitting.length === 1 ? "takes" : "take"} files like *${name}`;
  return { files, reason, command: `casparian rule add '*${name}' ${plugin}${source}` };
}

function patternsOf(rules: readonly RuleRow[], plugins: readonly PluginSummary[]): Known["patterns"] {
  const active = plugins.filter((plugin) => plugin.state === "ACTIVE");
  return new Map(
    active.map(({ name, manifest }) => {
      const own = rules.filter((rule) => rule.pluginName === name).map((rule) => rule.pattern);
      return [name, [...manifest.patterns, ...own]];
    }),
  );
}

/** Whether a glob is for files of this ending, letter case aside: `vendor/*.{csv,tsv}` is for `.CSV`. */
function endsLike(pattern: string, ending: string): boolean {
  const found = /\.(?:\{([^{}]+)\}|([\w-]+))$/.exec(pattern);
  const endings = (found?.[1] ?? found?.[2] ?? "").split(",");
  return endings.some((each) => `.${each.trim()}`.toLowerCase() === ending.toLowerCase());
}

function distinct(suggestions: readonly Suggestion[]): readonly Suggestion[] {
  const byCommand = new Map<string, Suggestion>();
  for (const each of suggestions) {
    const same = byCommand.get(each.command);
    byCommand.set(each.command, same === undefined ? each : { ...same, files: same.files + each.files });
  }
  return [...byCommand.values()];
}
