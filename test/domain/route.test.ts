import { describe, expect, it } from "vitest";
import { checkPattern, explainRule, routeFile, type RoutingRule } from "../../domain/route.ts";

let nextId = 1;
function rule(pattern: string, overrides: Partial<RoutingRule> = {}): RoutingRule {
  return { ruleId: String(nextId++), pattern, sourceId: null, pluginName: "clean", priority: 0, enabled: true, ...overrides };
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

it("refuses a pattern that can't be a glob", () => {
  expect(() => checkPattern("  ")).toThrow("empty");
  expect(() => checkPattern("*.csv")).not.toThrow();
});
