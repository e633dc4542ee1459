import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { openRecordHome } from "./record-home.ts";

const { home, casparian, record } = await openRecordHome();

describe("a folder that nobody has used yet", () => {
  test("has empty lists, each one JSON document", async () => {
    for (const verb of [["source", "list"], ["rule", "list"], ["plugin", "list"], ["topic", "list"], ["jobs", "list"], ["files"]]) {
      expect(await casparian.json(...verb), verb.join(" ")).toEqual([]);
    }
  });

  test("says what to do next", async () => {
    expect((await casparian("source", "list")).stdout).toContain("casparian source add NAME PATH");
    expect((await casparian("plugin", "list")).stdout).toContain("casparian plugin publish FILE");
    expect((await casparian("jobs", "list")).stdout).toContain("casparian doctor");
    expect(await casparian("scan")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("casparian source add NAME PATH") as string,
    });
  });
});

describe("sources", () => {
  beforeAll(() => mkdir(join(home, "inbox/vendor"), { recursive: true }));

  test("are added once, and again without harm", async () => {
    expect(await casparian.json("source", "add", "inbox", "inbox")).toMatchObject({
      outcome: "added",
      source: { name: "inbox", path: join(home, "inbox"), settleMs: 2000, state: "ACTIVE" },
      warnings: [],
    });
    expect(await casparian.json("source", "add", "inbox", "./inbox/")).toMatchObject({ outcome: "unchanged" });
    expect(await casparian.json("source", "add", "inbox", "inbox", "--settle", "0.5", "--exclude", "*.tmp", "*.part")).toMatchObject({
      outcome: "changed",
      source: { settleMs: 500, exclude: ["*.tmp", "*.part"] },
    });
    const { stdout } = await casparian("source", "list");
    expect(stdout).toMatch(/^SOURCE +PATH +STATE/);
    expect(stdout).toContain(join(home, "inbox"));
  });

  test("are refused where they can't be meant", async () => {
    await writeFile(join(home, "file.txt"), "");
    const other = await casparian("source", "add", "inbox", "inbox/vendor");
    expect(other).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`source inbox is another folder: ${join(home, "inbox")}`) as string,
    });
    expect((await casparian("source", "add", "x", "missing")).stderr).toContain("there is no folder");
    expect((await casparian("source", "add", "x", "file.txt")).stderr).toContain("is not a folder");
    expect((await casparian("source", "add", "a b", "inbox")).stderr).toContain("can't be the name of a source");
    expect((await casparian("source", "add", "x", "inbox", "--settle", "-1")).exitCode).toBe(2);
  });

  test("have settings that are changed, and taken away with none", async () => {
    const set = (...args: string[]) => casparian.json<{ source: object }>("source", "set", "inbox", ...args);
    expect(await set("--every", "1m", "--max-size", "5MB", "--workers", "nas")).toMatchObject({
      source: { everyMs: 60_000, cron: null, sizeBytesMax: 5_000_000, workerGroup: "nas" },
    });
    expect(await set("--cron", "0 6 * * 1-5", "--max-size", "none", "--workers", "none")).toMatchObject({
      source: { everyMs: null, cron: "0 6 * * 1-5", sizeBytesMax: null, workerGroup: null },
    });
    expect(await set("--cron", "none")).toMatchObject({ source: { everyMs: null, cron: null } });
    expect((await casparian("source", "show", "inbox")).stdout).toMatch(/next scan +on request/);
    expect((await casparian("source", "set", "inbox", "--cron", "0 25 * * *")).stderr).toContain(
      '"25" is no hour, which goes from 0 to 23',
    );
    expect((await casparian("source", "set", "inbox", "--every", "500ms")).stderr).toContain("more often than each second");
    expect(await set("--every", "5m")).toMatchObject({ source: { everyMs: 300_000, cron: null } });
    expect((await casparian("source", "show", "inbox")).stdout).toMatch(/scanned +every 5 min\n[^]*next scan +once casparian start runs$/m);
  });

  test("of a group of workers need not be on this machine, until they are for every worker", async () => {
    const added = await casparian("source", "add", "far", "/mnt/far", "--workers", "nas");
    expect(added.stdout).toContain("warning: there is no folder /mnt/far on this machine; the workers of group nas must find it there");
    const refused = await casparian("source", "set", "far", "--workers", "none");
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("there is no folder /mnt/far") as string });
    expect((await casparian("source", "remove", "far")).exitCode).toBe(0);
  });

  test("may lie in each other, and that is said; our outputs are left out", async () => {
    const inner = await casparian("source", "add", "vendor", "inbox/vendor");
    expect(inner.stdout).toContain(`warning: it lies inside source inbox (${join(home, "inbox")})`);
    const whole = await casparian.json<{ source: { exclude: string[] }; warnings: string[] }>("source", "add", "home", ".");
    expect(whole.source.exclude).toEqual(["/output/"]);
    expect(whole.warnings.join("\n")).toContain("left out: /output/");
  });

  test("are paused, resumed and removed; a wrong name is suggested", async () => {
    expect((await casparian("source", "pause", "vendor")).stdout).toBe("Source vendor is paused");
    expect((await casparian("source", "pause", "vendor")).stdout).toBe("Source vendor is paused already");
    expect((await casparian("scan", "vendor")).stderr).toContain("source vendor is paused");
    expect((await casparian("source", "resume", "vendor")).stdout).toBe("Source vendor is active");
    expect((await casparian("source", "remove", "vendro")).stderr).toContain("Did you mean vendor?");
    expect((await casparian("source", "remove", "vendor")).stdout).toBe("Source vendor is removed");
    expect((await casparian("source", "remove", "vendor")).exitCode).toBe(2);
  });
});

describe("rules and topics", () => {
  test("need a plugin that is published, and suggest the one that was meant", async () => {
    expect((await casparian("rule", "add", "*.csv", "clean")).stderr).toContain("casparian plugin publish FILE");
    await record.plugin("clean", "1");
    expect(await casparian("rule", "add", "*.csv", "claen")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("Did you mean clean?") as string,
    });
  });

  test("are added once, changed, explained, disabled and removed", async () => {
    const added = await casparian.json<{ rule: { ruleId: string } }>("rule", "add", "*.csv", "clean", "--source", "inbox");
    expect(added).toMatchObject({ outcome: "added", rule: { pattern: "*.csv", pluginName: "clean", source: "inbox", priority: 0 } });
    expect(await casparian.json("rule", "add", "*.csv", "clean", "--source", "inbox")).toMatchObject({ outcome: "unchanged" });
    expect(await casparian.json("rule", "add", "*.csv", "clean", "--source", "inbox", "--priority", "-3")).toMatchObject({
      outcome: "changed",
    });
    expect((await casparian("rule", "add", " ", "clean")).stderr).toContain("is not a pattern");

    const { stdout } = await casparian("rule", "test", "inbox/vendor/A.CSV");
    expect(stdout).toContain("No plugin takes inbox/vendor/A.CSV");
    const tested = await casparian.json<{ plugins: unknown[]; rules: { reason: string }[] }>("rule", "test", "a.CSV", "--source", "inbox");
    expect(tested).toMatchObject({
      path: "a.CSV",
      source: "inbox",
      plugins: [],
      rules: [{ matches: false, reason: "letter case differs, and it counts" }],
    });
    await writeFile(join(home, "inbox/vendor/b.csv"), "");
    expect((await casparian("rule", "test", "inbox/vendor/b.csv")).stdout).toContain("vendor/b.csv of source inbox goes to clean 1");

    const id = added.rule.ruleId;
    expect((await casparian("rule", "disable", id)).stdout).toContain(`Disabled rule ${id}`);
    expect((await casparian.json<{ rules: { reason: string }[] }>("rule", "test", "b.csv", "--source", "inbox")).rules[0]!.reason).toBe(
      "the rule is disabled",
    );
    expect((await casparian("rule", "enable", id)).exitCode).toBe(0);
    expect((await casparian("rule", "remove", id)).exitCode).toBe(0);
    expect(await casparian("rule", "remove", id)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("casparian rule list") as string,
    });
  });

  test("a topic has a sink that is known", async () => {
    expect(await casparian.json("topic", "set", "clean", "output", "parquet://./lake")).toMatchObject({ changed: ["output"] });
    expect(await casparian.json("topic", "set", "clean", '{"output": {"uri": "parquet://./lake", "mode": "append"}}')).toMatchObject({
      changed: [],
    });
    expect(await casparian.json("topic", "list")).toEqual([
      { plugin: "clean", output: "output", uri: "parquet://./lake", mode: "append", configured: true },
    ]);
    const wrong = await casparian("topic", "set", "clean", "output", "parqet://./lake");
    expect(wrong).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no sink is known for parqet://") as string });
    expect((await casparian("topic", "set", "clean", "output", "./lake")).exitCode).not.toBe(0);
    expect((await casparian("topic", "set", "clean", "output", "parquet://x", "--mode", "sometimes")).stderr).toContain("Modes are append");
  });
});

test("every change is in the audit trail, with who and what", async () => {
  const trail = await casparian.json<{ actor: string; action: string; subject: string }[]>(
    "sql",
    "select actor, action, subject from cf_audit order by id",
  );
  expect(trail.every(({ actor }) => /^\S+@\S+$/.test(actor))).toBe(true);
  expect(trail.map(({ action }) => action)).toEqual(
    expect.arrayContaining([
      "source.add",
      "source.change",
      "source.pause",
      "source.remove",
      "rule.add",
      "rule.change",
      "rule.disable",
      "rule.remove",
      "topic.set",
    ]),
  );
  expect(trail.filter(({ action }) => action === "source.add").map(({ subject }) => subject)).toEqual(["inbox", "far", "vendor", "home"]);
});

test("status names the sources", async () => {
  expect(await casparian.json("status")).toMatchObject({ sources: [{ name: "home" }, { name: "inbox", lastScan: null }] });
});
