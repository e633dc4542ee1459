import { existsSync, lstatSync, type Stats } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { fileStanding, type FileStanding } from "../db/file-standing.ts";
import { listPlugins } from "../db/plugin.ts";
import { listRules, type RuleRow } from "../db/routing-rule.ts";
import { listSources } from "../db/source-root.ts";
import { createRouter, explainRule, type Route } from "../domain/route.ts";
import { describeLimit, outsideLimits, whyLeftOut } from "../domain/selection.ts";
import type { ControlContext } from "./context.ts";
import { findSource, type Source } from "./find-source.ts";

export interface TestRuleRequest {
  /** Below a source's root, or a path of the file system; the file need not be there. */
  readonly path: string;
  readonly source?: string | undefined;
}

export interface RuleTest {
  /** As the rules see it. */
  readonly path: string;
  /** Null where the path was not found in a source: then rules for one source only are left out of the verdict. */
  readonly source: string | null;
  /** The tags that rules give it. */
  readonly tags: readonly string[];
  /** The plugins' artifacts that would get a job, in the order in which they run, with the job that the newest version has of them. */
  readonly plugins: readonly {
    readonly plugin: string;
    readonly version: string;
    readonly ruleId: string;
    readonly jobId: string | null;
  }[];
  /** Why no scan takes the file at all, whatever the rules say: sentences without a full stop. */
  readonly leftOut: readonly string[];
  /** What the record says of it; null where it was not found in a source. */
  readonly standing: FileStanding | null;
  /** Every rule with its verdict. */
  readonly rules: readonly TestedRule[];
}

export interface TestedRule {
  readonly rule: RuleRow;
  readonly matches: boolean;
  /** Why it matches or doesn't, and why a match leads to no job; without a full stop. */
  readonly reason: string;
}

/** Which rules take a file, and why the others don't. Throws WrongUse for an unknown source. */
export async function testRule({ db }: ControlContext, request: TestRuleRequest): Promise<RuleTest> {
  const { source, path } = await locate(db, request);
  const rules = await listRules(db);
  // Ids begin at 1, so 0 is no source: a rule for one source then explains that it is for another.
  const sourceId = source?.id ?? "0";
  const published = new Set((await listPlugins(db, null)).map((plugin) => plugin.name));
  const router = createRouter(rules);
  const routes = router.route(path, sourceId);
  const tags = router.tagsOf(path, sourceId);
  const standing = source === null ? null : await fileStanding(db, source.id, path);
  const tested = rules.map((rule) => testOne(rule, { path, sourceId, tags, routes, published }));
  const plugins = routes.map((rule) => {
    const job = standing?.jobs.find(({ plugin, version }) => plugin === rule.pluginName && version === rule.activeVersion);
    return { plugin: rule.pluginName, version: rule.activeVersion!, ruleId: rule.ruleId, jobId: job?.id ?? null };
  });
  const leftOut = source === null ? [await outsideSources(db)] : whyNotTaken(source, path);
  return { path, source: source?.name ?? null, tags, plugins, leftOut, standing, rules: tested };
}

interface Tested {
  readonly path: string;
  readonly sourceId: string;
  readonly tags: readonly string[];
  readonly routes: readonly Route<RuleRow>[];
  readonly published: ReadonlySet<string>;
}

function testOne(rule: RuleRow, { path, sourceId, tags, routes, published }: Tested): TestedRule {
  const { matches, verdict, reason } = explainRule(path, sourceId, rule, tags);
  if (verdict === "other-source") return { rule, matches, reason: `the rule is for source ${rule.source}` };
  if (!matches) return { rule, matches, reason };
  if (rule.pluginName === null) return { rule, matches, reason: `matches, and gives the tag ${rule.tag}` };
  if (rule.pluginId === null) return { rule, matches, reason: `matches, but ${missing(rule.pluginName, published.has(rule.pluginName))}` };
  const winner = routes.find((other) => other.pluginName === rule.pluginName)!;
  return {
    rule,
    matches,
    reason: winner.ruleId === rule.ruleId ? "matches" : `matches, but rule ${winner.ruleId} for the same plugin goes first`,
  };
}

function missing(plugin: string, isPublished: boolean): string {
  return isPublished ? `no version of ${plugin} is active` : `plugin ${plugin} is not published`;
}

async function outsideSources(db: ControlContext["db"]): Promise<string> {
  const sources = await listSources(db);
  if (sources.length === 0) return "there is no source, so no file is ever found";
  return `it is below no source (${sources.map((source) => `${source.name}: ${source.path}`).join(", ")}); --source NAME tests it as a path of one`;
}

/** What keeps a scan from taking the file. Of a file that is not there, only its path is known. */
function whyNotTaken(source: Source, path: string): readonly string[] {
  const reasons: string[] = [];
  if (source.state === "PAUSED")
    reasons.push(`source ${source.name} is paused, so it is not scanned: casparian source resume ${source.name}`);
  const byPath = whyLeftOut(path, source);
  if (byPath !== null) reasons.push(byPath);
  const stats = look(join(source.path, path));
  if (stats === null) return reasons;
  if (!stats.isFile()) return [...reasons, stats.isSymbolicLink() ? "it is a link, and links are not followed" : "it is not a file"];
  const outside = outsideLimits({ sizeBytes: stats.size, modifiedAtMs: stats.mtimeMs }, source, Date.now());
  if (outside !== null)
    reasons.push(`it ${outside === "TOO_OLD" ? "was" : "is"} ${describeLimit(outside, source)}, which the source leaves out`);
  return reasons;
}

function look(path: string): Stats | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? null;
  } catch {
    // Where this user may not look, the scan's findings say what it met.
    return null;
  }
}

async function locate(db: ControlContext["db"], request: TestRuleRequest): Promise<{ source: Source | null; path: string }> {
  const absolute = resolve(request.path);
  const named = request.source === undefined ? null : await findSource(db, request.source);
  const candidates = named === null ? await listSources(db) : [named];
  // Of nested sources the innermost is meant.
  const around = candidates
    .filter((source) => absolute.startsWith(withSlash(source.path)))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
  if (around !== undefined && (existsSync(absolute) || request.path.startsWith("/"))) {
    return { source: around, path: relative(around.path, absolute).replaceAll(sep, "/") };
  }
  const path = request.path.replace(/^\.\//, "");
  if (named === null && request.path.startsWith("/")) return { source: null, path: request.path };
  return { source: named ?? (candidates.length === 1 ? candidates[0]! : null), path };
}

function withSlash(folder: string): string {
  return folder.endsWith("/") ? folder : `${folder}/`;
}
