import { describe, expect, it } from "vitest";
import { checkPattern, createRouter, explainRule as explain, routeFile, type RoutingRule } from "../../domain/route.ts";

let nextId = 1;
function rule(pattern: string, overrides: Partial<RoutingRule> = {}): RoutingRule {
  const pluginName = overrides.pluginName === undefined ? "clean" : overrides.pluginName;
  const pluginId = pluginName === null ? null : `id of ${pluginName}`;
  const defaults = { tagged: null, sourceId: null, tag: null, priority: 0, enabled: true };
  return { ruleId: String(nextId++), pattern, ...defaults, pluginId, ...overrides, pluginName };
}

function explainRule(relPath: string, sourceId: string, tested: RoutingRule) {
  return explain(relPath, sourceId, tested, []);
}

function matches(pattern: string, relPath: string): boolean {
  return routeFile(relPath, "1", [rule(pattern)]).length === 1;
}

describe("a pattern without a slash", () => {
  it("is compared with the name at any depth", () => {
    expect(matches("*.csv", "a.csv")).toBe(true);
    expect(matches("*.csv", "vendors/2026/a.csv")).toBe(true);
    expect(matches("*.csv", "a.csv.gz")).toBe(false);
  });

  it("sees hidden files, and letter case", () => {
    expect(matches("*.csv", ".hidden.csv")).toBe(true);
    expect(matches("*.csv", "A.CSV")).toBe(false);
    expect(explainRule("A.CSV", "1", rule("*.csv")).reason).toContain("letter case");
  });

  it("takes braces, ranges and unusual names", () => {
    expect(matches("*.{csv,tsv}", "x/ü b.tsv")).toBe(true);
    expect(matches("trades_202[0-9]*.csv", "trades_2026-01.csv")).toBe(true);
    expect(matches("*", "no-extension")).toBe(true);
  });
});

describe("a pattern with a slash", () => {
  it("is compared with the whole path", () => {
    expect(matches("vendors/*.csv", "vendors/a.csv")).toBe(true);
    expect(matches("vendors/*.csv", "vendors/2026/a.csv")).toBe(false);
    expect(matches("vendors/**/*.csv", "vendors/2026/a.csv")).toBe(true);
    expect(explainRule("in/vendors/a.csv", "1", rule("vendors/*.csv")).reason).toContain("**/vendors/*.csv would match");
  });

  it("is kept to the root by a leading one, and takes a folder by a trailing one", () => {
    expect(matches("/a.csv", "a.csv")).toBe(true);
    expect(matches("/a.csv", "in/a.csv")).toBe(false);
    expect(matches("./a.csv", "a.csv")).toBe(true);
    expect(matches("in/", "in/deep/a.csv")).toBe(true);
    expect(matches("in/", "out/a.csv")).toBe(false);
  });
});

describe("choosing among rules", () => {
  it("gives one match for each plugin, by priority, then source, then age", () => {
    const low = rule("*.csv");
    const high = rule("*", { priority: 5 });
    const other = rule("*.csv", { pluginName: "audit", priority: 9 });
    expect(routeFile("a.csv", "1", [low, high, other])).toEqual([other, high]);
    const bound = rule("*.csv", { sourceId: "1" });
    expect(routeFile("a.csv", "1", [low, bound])).toEqual([bound]);
    const younger = rule("a.*");
    expect(routeFile("a.csv", "1", [younger, low])).toEqual([low]);
  });

  it("leaves out disabled rules and those of other sources, and says so", () => {
    const disabled = rule("*.csv", { enabled: false });
    const elsewhere = rule("*.csv", { sourceId: "2" });
    expect(routeFile("a.csv", "1", [disabled, elsewhere])).toEqual([]);
    expect(explainRule("a.csv", "1", disabled).verdict).toBe("disabled");
    expect(explainRule("a.csv", "1", elsewhere).verdict).toBe("other-source");
  });
});

describe("tags", () => {
  const byTag = (tag: string, overrides: Partial<RoutingRule> = {}) => rule("*", { tagged: tag, ...overrides });
  const giving = (pattern: string, tag: string, overrides: Partial<RoutingRule> = {}) =>
    rule(pattern, { pluginName: null, tag, ...overrides });
  const plugins = (relPath: string, rules: readonly RoutingRule[]) => routeFile(relPath, "1", rules).map((each) => each.pluginName);

  it("lead from a pattern to a plugin, in whatever order the rules were made", () => {
    const rules = [byTag("trades"), giving("trades/**", "trades"), byTag("trades", { pluginName: "audit", priority: 1 })];
    expect(plugins("trades/a.csv", rules)).toEqual(["audit", "clean"]);
    expect(plugins("other/a.csv", rules)).toEqual([]);
    expect(plugins("trades/a.csv", [byTag("trades")])).toEqual([]);
    expect(plugins("trades/a.csv", [giving("trades/**", "trades")])).toEqual([]);
  });

  it("are narrowed by the pattern and the source of the rule that takes them", () => {
    const tag = giving("trades/**", "trades");
    expect(plugins("trades/a.csv", [tag, byTag("trades", { pattern: "*.csv" })])).toEqual(["clean"]);
    expect(plugins("trades/a.txt", [tag, byTag("trades", { pattern: "*.csv" })])).toEqual([]);
    expect(plugins("trades/a.csv", [tag, byTag("trades", { sourceId: "2" })])).toEqual([]);
    expect(plugins("trades/a.csv", [giving("trades/**", "trades", { sourceId: "2" }), byTag("trades")])).toEqual([]);
  });

  it("are given by several rules, by rules with a plugin of their own, also where that has no active version, and by no disabled one", () => {
    const rules = [
      giving("*", "all"),
      rule("*.csv", { tag: "tables", pluginId: null }),
      rule("*.csv", { tag: "tables" }),
      giving("*.csv", "off", { enabled: false }),
      byTag("off", { pluginName: "never" }),
      byTag("tables", { pluginName: "later" }),
    ];
    expect(createRouter(rules).tagsOf("a.csv", "1")).toEqual(["all", "tables"]);
    expect(createRouter(rules).tagsOf("a.txt", "1")).toEqual(["all"]);
    expect(plugins("a.csv", rules)).toEqual(["clean", "later"]);
  });

  it("count in the choice among rules for one plugin, and in the explanation", () => {
    const direct = rule("*.csv");
    const tagged = byTag("trades", { priority: 5 });
    expect(routeFile("a.csv", "1", [direct, tagged, giving("*", "trades")])).toEqual([tagged]);
    expect(routeFile("a.csv", "1", [direct, tagged])).toEqual([direct]);
    expect(explainRule("a.csv", "1", tagged)).toEqual({
      matches: false,
      verdict: "untagged",
      reason: "no rule gives the file the tag trades",
    });
    expect(explain("a.csv", "1", tagged, ["trades"]).matches).toBe(true);
    expect(createRouter([direct, tagged]).takes(tagged, "a.csv", "1")).toBe(false);
    expect(createRouter([direct, tagged, giving("*", "trades")]).takes(direct, "a.csv", "1")).toBe(true);
  });
});

it("takes nothing by a rule whose plugin has no active version, and lets the next one go first", () => {
  const sleeping = rule("*", { pluginId: null, priority: 9 });
  expect(routeFile("a.csv", "1", [sleeping])).toEqual([]);
  const awake = rule("*");
  expect(routeFile("a.csv", "1", [sleeping, awake])).toEqual([awake]);
});

it("refuses a pattern that can't be a glob", () => {
  expect(() => checkPattern("  ")).toThrow("empty");
  expect(() => checkPattern("*.csv")).not.toThrow();
});
