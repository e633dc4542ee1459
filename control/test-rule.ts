import { existsSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import { listPlugins } from "../db/plugin.ts";
import { listRules, type RuleRow } from "../db/routing-rule.ts";
import { listSources } from "../db/source-root.ts";
import { explainRule, routeFile } from "../domain/route.ts";
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
  /** The plugins' artifacts that would get a job, in the order in which they run. */
  readonly plugins: readonly { readonly plugin: string; readonly version: string; readonly ruleId: string }[];
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
  const published = new Map((await listPlugins(db, null)).map((plugin) => [plugin.name, plugin]));
  const chosen = routeFile(
    path,
    sourceId,
    rules.filter((rule) => rule.activeVersion !== null),
  );
  const tested = rules.map((rule) => {
    const { matches, verdict, reason } = explainRule(path, sourceId, rule);
    if (verdict === "other-source") return { rule, matches, reason: `the rule is for source ${rule.source}` };
    if (!matches) return { rule, matches, reason };
    if (rule.activeVersion === null)
      return { rule, matches, reason: `matches, but ${missing(rule.pluginName, published.has(rule.pluginName))}` };
    const winner = chosen.find((other) => other.pluginName === rule.pluginName)!;
    return { rule, matches, reason: winner === rule ? "matches" : `matches, but rule ${winner.ruleId} for the same plugin goes first` };
  });
  const plugins = chosen.map((rule) => ({ plugin: rule.pluginName, version: rule.activeVersion!, ruleId: rule.ruleId }));
  return { path, source: source?.name ?? null, plugins, rules: tested };
}

function missing(plugin: string, isPublished: boolean): string {
  return isPublished ? `no version of ${plugin} is active` : `plugin ${plugin} is not published`;
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
  return { source: named ?? (candidates.length === 1 ? candidates[0]! : null), path };
}

function withSlash(folder: string): string {
  return folder.endsWith("/") ? folder : `${folder}/`;
}
