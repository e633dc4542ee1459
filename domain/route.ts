import { compileGlob } from "./glob.ts";

/** Pattern to plugin, as it stands in the record. */
export interface RoutingRule {
  readonly ruleId: string;
  /** A glob as in `glob.ts`. */
  readonly pattern: string;
  /** The only source that the rule is for; null for all. */
  readonly sourceId: string | null;
  readonly pluginName: string;
  /** Higher goes first: among the rules that lead to one plugin, and among the jobs that wait. */
  readonly priority: number;
  readonly enabled: boolean;
}

/** A rule whose plugin has an active artifact. */
export interface ActiveRule extends RoutingRule {
  readonly pluginId: string;
  readonly pluginVersion: string;
  readonly environmentHash: string;
}

/** The rule by which a plugin takes the file. */
export type RuleMatch<Rule extends RoutingRule = ActiveRule> = Rule;

/**
 * Which rules send the file to a plugin: at most one for each plugin, the one of highest priority, then a rule for this source before
 * one for all, then the oldest. In the order in which the jobs should run.
 */
export function routeFile<Rule extends RoutingRule>(relPath: string, sourceId: string, rules: readonly Rule[]): readonly RuleMatch<Rule>[] {
  const chosen = new Map<string, Rule>();
  for (const rule of rules.filter((candidate) => explainRule(relPath, sourceId, candidate).matches).toSorted(byPrecedence)) {
    if (!chosen.has(rule.pluginName)) chosen.set(rule.pluginName, rule);
  }
  return [...chosen.values()];
}

export type RuleVerdict = "match" | "disabled" | "other-source" | "pattern";

export interface RuleExplanation {
  readonly matches: boolean;
  readonly verdict: RuleVerdict;
  /** One sentence without a full stop. */
  readonly reason: string;
}

/** Whether the rule takes the file, and why it doesn't. */
export function explainRule(relPath: string, sourceId: string, rule: RoutingRule): RuleExplanation {
  if (!rule.enabled) return refusal("disabled", "the rule is disabled");
  if (rule.sourceId !== null && rule.sourceId !== sourceId) return refusal("other-source", "the rule is for another source");
  if (matcher(rule)(relPath)) return { matches: true, verdict: "match", reason: "matches" };
  return refusal("pattern", nearMiss(relPath, rule.pattern) ?? "the pattern does not match");
}

/** Throws an Error where the pattern can't be a glob: empty, or too long for the matcher. */
export function checkPattern(pattern: string): void {
  if (pattern.trim() === "") throw new Error("an empty pattern matches nothing");
  compileGlob(pattern);
}

function refusal(verdict: RuleVerdict, reason: string): RuleExplanation {
  return { matches: false, verdict, reason };
}

function byPrecedence(a: RoutingRule, b: RoutingRule): number {
  return b.priority - a.priority || Number(a.sourceId === null) - Number(b.sourceId === null) || Number(a.ruleId) - Number(b.ruleId);
}

type Matcher = (relPath: string) => boolean;

/** Compiling costs far more than matching, and the same rules are asked for thousands of files. */
const matchers = new WeakMap<RoutingRule, Matcher>();

function matcher(rule: RoutingRule): Matcher {
  const known = matchers.get(rule);
  if (known !== undefined) return known;
  const compiled = compileGlob(rule.pattern);
  matchers.set(rule, compiled);
  return compiled;
}

/** The two mistakes that people make with globs. */
function nearMiss(relPath: string, pattern: string): string | null {
  if (compileGlob(pattern, { caseSensitive: false })(relPath)) return "letter case differs, and it counts";
  const anywhere = `**/${pattern.replace(/^\.?\//, "")}`;
  if (pattern.includes("/") && compileGlob(anywhere)(relPath)) {
    return `the pattern is compared with the path below the source's root; ${anywhere} would match`;
  }
  return null;
}
