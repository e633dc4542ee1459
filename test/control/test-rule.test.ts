import { mkdir, mkdtemp, realpath, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addRule, type AddRuleRequest } from "../../control/add-rule.ts";
import { changeRule } from "../../control/change-rule.ts";
import { changeSource } from "../../control/change-source.ts";
import { testRule } from "../../control/test-rule.ts";
import { addFindings } from "../../db/scan-finding.ts";
import { noteChanging } from "../../db/scan-pending.ts";
import { updateSource, type Source } from "../../db/source-root.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";

const { db, close } = await testDatabase();
const context = { db, actor: "ann@desk", temporal: null };
const record = fillRecord(db);
const root = await realpath(await mkdtemp(join(tmpdir(), "casparian-rules-")));
afterAll(async () => {
  await close();
  await rm(root, { recursive: true, force: true });
});

let inbox: Source;
let clean: string;
const ids: Record<string, string> = {};
const add = async (name: string, request: Partial<AddRuleRequest>) => {
  ids[name] = (await addRule(context, { backfill: false, ...request })).rule.ruleId!;
};
beforeAll(async () => {
  await mkdir(join(root, "inbox"));
  inbox = await record.source("inbox", join(root, "inbox"));
  await record.source("elsewhere", join(root, "elsewhere"));
  await record.plugin("clean", "1");
  clean = await record.plugin("clean", "2");
  await record.plugin("asleep", "1");
  await db.query("update cf_plugin_manifest set state = 'RETIRED' where name = 'asleep'");
  await add("csv", { pattern: "*.csv", plugin: "clean" });
  await add("exact", { pattern: "trades/*.csv", plugin: "clean", priority: 1 });
  await add("off", { pattern: "*.csv", plugin: "clean", source: "inbox" });
  await changeRule(context, ids["off"]!, "disable");
  await add("elsewhere", { pattern: "*", plugin: "clean", source: "elsewhere" });
  await add("asleep", { pattern: "*.csv", plugin: "asleep" });
  await add("tag", { pattern: "trades/", tag: "trades" });
  await add("tagged", { plugin: "clean", tagged: "trades", priority: 5 });
});

const look = (path: string, source: string | undefined = "inbox") => testRule(context, { path, source });
async function reasons(path: string): Promise<Readonly<Record<string, string>>> {
  const { rules } = await look(path);
  return Object.fromEntries(rules.map(({ rule, reason }) => [Object.keys(ids).find((name) => ids[name] === rule.ruleId), reason]));
}

test("every rule says why it takes the file or doesn't", async () => {
  expect(await reasons("trades/a.csv")).toEqual({
    csv: `matches, but rule ${ids["tagged"]} for the same plugin goes first`,
    exact: `matches, but rule ${ids["tagged"]} for the same plugin goes first`,
    off: "the rule is disabled",
    elsewhere: "the rule is for source elsewhere",
    asleep: "matches, but no version of asleep is active",
    tag: "matches, and gives the tag trades",
    tagged: "matches",
  });
  expect(await reasons("a.CSV")).toMatchObject({
    csv: "letter case differs, and it counts",
    exact: "the pattern does not match",
    tagged: "no rule gives the file the tag trades",
  });
  expect(await look("trades/a.csv")).toMatchObject({
    tags: ["trades"],
    plugins: [{ plugin: "clean", version: "2", ruleId: ids["tagged"], jobId: null }],
    leftOut: [],
  });
});

describe("what its source takes", () => {
  test("is told: globs, folders of our own, limits, a paused source", async () => {
    const settings = { ...inbox, include: ["*.csv"], exclude: ["tmp/"], sizeBytesMin: 2, sizeBytesMax: 4, ageMsMax: 86_400_000 };
    await updateSource(db, inbox.id, settings);
    const leftOut = async (path: string) => (await look(path)).leftOut;
    expect(await leftOut("a.txt")).toEqual(["the source includes only *.csv"]);
    expect(await leftOut("tmp/a.csv")).toEqual(["the source excludes tmp/, and so its folder tmp"]);
    expect(await leftOut(".casparian/a.csv")).toEqual(["it is in .casparian, a folder of our own, which is never input"]);
    expect(await leftOut("a.csv")).toEqual([]);
    for (const [name, content] of Object.entries({ small: "1", large: "12345", old: "123", fine: "123" })) {
      await writeFile(join(root, "inbox", `${name}.csv`), content);
    }
    await utimes(join(root, "inbox/old.csv"), 1_000_000, 1_000_000);
    await symlink("fine.csv", join(root, "inbox/link.csv"));
    expect(await leftOut("small.csv")).toEqual(["it is smaller than 2 bytes, which the source leaves out"]);
    expect(await leftOut("large.csv")).toEqual(["it is larger than 4 bytes, which the source leaves out"]);
    expect(await leftOut("old.csv")).toEqual(["it was last modified more than 1 day ago, which the source leaves out"]);
    expect(await leftOut("fine.csv")).toEqual([]);
    expect(await leftOut("link.csv")).toEqual(["it is a link, and links are not followed"]);
    await changeSource(context, "inbox", "pause");
    expect(await leftOut("fine.csv")).toEqual(["source inbox is paused, so it is not scanned: casparian source resume inbox"]);
    await changeSource(context, "inbox", "resume");
    await updateSource(db, inbox.id, inbox);
  });

  test("is nothing of a path below no source", async () => {
    const { source, leftOut, standing, plugins } = await testRule(context, { path: "/somewhere/trades.csv" });
    expect({ source, standing }).toEqual({ source: null, standing: null });
    expect(leftOut[0]).toContain(`it is below no source (elsewhere: ${root}/elsewhere, inbox: ${root}/inbox)`);
    expect(plugins).toMatchObject([{ ruleId: ids["csv"] }]);
  });
});

describe("what is on record of it", () => {
  test("is nothing before a scan took it, and then the wait and the finding", async () => {
    expect((await look("new.csv")).standing).toEqual({ file: null, jobs: [], waits: false, queued: false, findings: [] });
    const stat = { sizeBytes: 1, mtimeNs: 1n, ctimeNs: 1n, inode: 1n };
    await noteChanging(db, inbox.id, [{ relPath: "new.csv", stat }]);
    await addFindings(db, inbox.id, [{ relPath: "locked", kind: "UNREADABLE", message: "EACCES" }]);
    expect((await look("new.csv")).standing).toMatchObject({ waits: true });
    expect((await look("locked/deep/a.csv")).standing).toMatchObject({ findings: [{ kind: "UNREADABLE", message: "EACCES" }] });
    expect((await look("lockedother.csv")).standing).toMatchObject({ findings: [] });
  });

  test("is its newest version with the jobs that it has had, by version of the plugin", async () => {
    const [retired] = (await db.query<{ id: string }>("select id from cf_plugin_manifest where name = 'clean' and version = '1'")).rows;
    await record.version(inbox, "a.csv", "1");
    const newest = await record.version(inbox, "a.csv", "2");
    expect((await look("a.csv")).standing).toMatchObject({
      file: { versionId: newest, sequence: 2, state: "PRESENT" },
      jobs: [],
      queued: true,
    });
    const first = await record.job(newest, retired!.id, "clean");
    expect(await look("a.csv")).toMatchObject({
      plugins: [{ version: "2", jobId: null }],
      standing: { jobs: [{ id: first, plugin: "clean", version: "1", state: "QUEUED" }], queued: false },
    });
    const second = await record.job(newest, clean, "clean");
    expect(await look(join(root, "inbox/a.csv"), undefined)).toMatchObject({
      path: "a.csv",
      source: "inbox",
      plugins: [{ jobId: second }],
    });
    await db.query("update cf_file_location set state = 'VANISHED', vanished_at = now() where rel_path = 'a.csv'");
    expect((await look("a.csv")).standing).toMatchObject({ file: { state: "VANISHED" } });
  });
});
