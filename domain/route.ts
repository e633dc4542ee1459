import { compileGlob } from "./glob.ts";

/** Pattern to plugin, pattern to tag, or tag to plugin, as it stands in the record. */
export interface RoutingRule {
  readonly ruleId: string;
  /** A glob as in `glob.ts`. */
  readonly pattern: string;
  /** Only files that another rule gives this tag; null for all. Such a rule names a plugin and gives no tag: two steps are the most. */
  readonly tagged: string | null;
  /** The only source that the rule is for; null for all. */
  readonly sourceId: string | null;
  /** Null for a rule that only gives a tag. */
  readonly pluginName: string | null;
  /** The plugin's active artifact; null where it has none, or the rule names no plugin. */
  readonly pluginId: string | null;
  /** What the files that match are tagged with. */
  readonly tag: string | null;
  /** Higher goes first: among the rules that lead to one plugin, and among the jobs that wait. */
  readonly priority: number;
  readonly enabled: boolean;
}

/** The rule by which a plugin takes the file. */
export type Route<Rule extends RoutingRule = RoutingRule> = Rule & { readonly pluginName: string; readonly pluginId: string };

/** Rules that are ready to be asked for many files. */
export interface Router<Rule extends RoutingRule> {
  /**
   * The rules that send the file to a plugin: at most one for each plugin, the one of highest priority, then a rule for this source before
   * one for all, then the oldest. In the order in which the jobs should run.
   */
  readonly route: (relPath: string, sourceId: string) => readonly Route<Rule>[];
  /** The tags of the file, in alphabetical order. A tag is given also where the rule's own plugin has no active version. */
  readonly tagsOf: (relPath: string, sourceId: string) => readonly string[];
  /** Whether this one rule takes the file, whatever goes before it. */
  readonly takes: (rule: RoutingRule, relPath: string, sourceId: string) => boolean;
}

/** Disabled rules take nothing, and those without an active artifact give tags only. */
export function createRouter<Rule extends RoutingRule>(rules: readonly Rule[]): Router<Rule> {
  const ordered = rules.filter((rule) => rule.enabled).toSorted(byPrecedence);
  const taggers = ordered.filter((rule): rule is Rule & { tag: string } => rule.tag !== null);
  const routes = ordered.filter(leadsToPlugin);
  const tagsOf = (relPath: string, sourceId: string): ReadonlySet<string> =>
    new Set(taggers.filter((rule) => takes(rule, relPath, sourceId)).map((rule) => rule.tag));
  return {
    route(relPath, sourceId) {
      let tags: ReadonlySet<string> | undefined;
      const chosen = new Map<string, Route<Rule>>();
      for (const rule of routes) {
        if (chosen.has(rule.pluginName) || !takes(rule, relPath, sourceId)) continue;
        if (rule.tagged !== null && !(tags ??= tagsOf(relPath, sourceId)).has(rule.tagged)) continue;
        chosen.set(rule.pluginName, rule);
      }
      return [...chosen.values()];
    },
    tagsOf: (relPath, sourceId) => [...tagsOf(relPath, sourceId)].toSorted(),
    takes: (rule, relPath, sourceId) =>
      rule.enabled && takes(rule, relPath, sourceId) && (rule.tagged === null || tagsOf(relPath, sourceId).has(rule.tagged)),
  };
}

/** `createRouter(rules).route` for one file; the same list of rules is prepared once. */
export function routeFile<Rule extends RoutingRule>(relPath: string, sourceId: string, rules: readonly Rule[]): readonly Route<Rule>[] {
  const router = (routers.get(rules) as Router<Rule> | undefined) ?? createRouter(rules);
  routers.set(rules, router);
  return router.route(relPath, sourceId);
}

const routers = new WeakMap<readonly RoutingRule[], Router<RoutingRule>>();

export type RuleVerdict = "match" | "disabled" | "other-source" | "pattern" | "untagged";

export interface RuleExplanation {
  readonly matches: boolean;
  readonly verdict: RuleVerdict;
  /** One sentence without a full stop. */
  readonly reason: string;
}

/** Whether the rule takes the file, which has these tags, and why it doesn't. */
export function explainRule(relPath: string, sourceId: string, rule: RoutingRule, tags: readonly string[]): RuleExplanation {
  if (!rule.enabled) return refusal("disabled", "the rule is disabled");
  if (rule.sourceId !== null && rule.sourceId !== sourceId) return refusal("other-source", "the rule is for another source");
  if (!matcher(rule)(relPath)) return refusal("pattern", nearMiss(relPath, rule.pattern) ?? "the pattern does not match");
  if (rule.tagged !== null && !tags.includes(rule.tagged)) {
    return refusal("untagged", `no rule gives the file the tag ${rule.tagged}`);
  }
  return { matches: true, verdict: "match", reason: "matches" };
}

/** Throws an Error where the pattern can't be a glob: empty, or too long for the matcher. */
export function checkPattern(pattern: string): void {
  if (pattern.trim() === "") throw new Error("an empty pattern matches nothing");
  compileGlob(pattern);
}

function leadsToPlugin<Rule extends RoutingRule>(rule: Rule): rule is Route<Rule> {
  return rule.pluginName !== null && rule.pluginId !== null;
}

function takes(rule: RoutingRule, relPath: string, sourceId: string): boolean {
  return (rule.sourceId === null || rule.sourceId === sourceId) && matcher(rule)(relPath);
}

function refusal(verdict: RuleVerdict, reason: string): RuleExplanation {
  return { matches: false, verdict, reason };
}

function byPrecedence(a: RoutingRule, b: RoutingRule): number {
  return b.priority - a.priority || Number(a.sourceId === null) - Number(b.sourceId === null) || Number(a.ruleId) - Number(b.ruleId);
}

type Matcher = (relPath: string) => boolean;

/** Compiling costs far more than matching, and the same patterns are asked for thousands of files. */
const matchers = new Map<string, Matcher>();
const matchersMax = 1_000;

function matcher({ pattern }: RoutingRule): Matcher {
  const known = matchers.get(pattern);
  if (known !== undefined) return known;
  const compiled = compileGlob(pattern);
  if (matchers.size >= matchersMax) matchers.clear();
  matchers.set(pattern, compiled);
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
