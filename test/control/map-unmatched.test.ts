import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addRule, type AddRuleRequest } from "../../control/add-rule.ts";
import { changeRule } from "../../control/change-rule.ts";
import { createGroups, endingOf } from "../../control/file-groups.ts";
import { listFiles } from "../../control/list-files.ts";
import { mapUnmatched, type UnmatchedMap } from "../../control/map-unmatched.ts";
import type { Source } from "../../db/source-root.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";

const { db, close } = await testDatabase();
const context = { db, actor: "ann@desk", temporal: null };
const record = fillRecord(db);
afterAll(close);

let inbox: Source;
let other: Source;
beforeAll(async () => {
  inbox = await record.source("inbox");
  other = await record.source("other");
  const files: readonly (readonly [Source, string, string])[] = [
    [inbox, "taken.csv", "taken"],
    [inbox, "vendor/a.json", "12345678"],
    [inbox, "vendor/deep/b.json", "1"],
    [other, "c.json", "123"],
    [inbox, "README", ""],
    [inbox, "vendor/A.CSV", "12"],
    [inbox, "vendor/B.CSV", "12"],
    [inbox, "gone.json", "1"],
  ];
  for (const [source, path, content] of files) await record.version(source, path, content);
  await db.query("update cf_file_location set state = 'VANISHED', vanished_at = now() where rel_path = 'gone.json'");
  await db.query("update cf_file_location set mtime_ns = extract(epoch from now() - interval '3 days') * 1e9 where rel_path = 'README'");
  await record.plugin("clean", "1", { manifest: { patterns: ["*.csv"] } });
  await record.plugin("notes", "1", { manifest: { patterns: ["notes/*.{txt,md}"] } });
});

const map = (request: Partial<Parameters<typeof mapUnmatched>[1]> = {}) => mapUnmatched(context, { limit: 10, ...request });
const brief = ({ by }: UnmatchedMap, grouping: "extension" | "folder" | "size" | "age") =>
  by[grouping]!.groups.map(({ name, files, bytes }) => `${name} ${files} ${bytes}`);
const add = (request: Partial<AddRuleRequest>) => addRule(context, { backfill: false, ...request });

// One story: rules come, and what is unmatched becomes less.

test("present files that no plugin takes are grouped by extension, folder, size and age", async () => {
  await add({ pattern: "taken.*", plugin: "clean" });
  const found = await map();
  expect(found).toMatchObject({ present: 7, files: 6, bytes: 16 });
  expect(brief(found, "extension")).toEqual([".json 3 12", ".CSV 2 4", " 1 0"]);
  expect(brief(found, "folder")).toEqual(["inbox/vendor/ 4 13", "other/ 1 3", "inbox/ 1 0"]);
  expect(brief(found, "size")).toEqual(["empty 1 0", "below 10 kB 5 16"]);
  expect(brief(found, "age")).toEqual(["last 7 days 1 0", "older 5 16"]);
  expect(found.by.age!.groups[0]!.newestAt.getTime()).toBeGreaterThan(Date.now() - 4 * 86_400_000);
});

test("by one thing only, of one source, and the rest in one line", async () => {
  const found = await map({ by: "extension", source: "inbox", limit: 1 });
  expect(Object.keys(found.by)).toEqual(["extension"]);
  expect(found).toMatchObject({ present: 6, files: 5 });
  expect(brief(found, "extension")).toEqual([".json 2 9"]);
  expect(found.by.extension!.others).toEqual({ files: 3, bytes: 4 });
});

describe("the suggestion for the largest groups", () => {
  const suggestions = async () => (await map()).suggestions.map(({ files, reason, command }) => `${files}: ${command} (${reason})`);

  test("names a plugin only where its manifest is for such files, and the source where it is one", async () => {
    expect(await suggestions()).toEqual([
      "3: casparian rule add '*.json' PLUGIN (no plugin takes *.json)",
      "2: casparian rule add '*.CSV' clean --source inbox (clean takes files like *.CSV)",
    ]);
  });

  test("leads to a disabled rule, to a plugin without an active version, and to a tag that nobody takes", async () => {
    const { rule } = await add({ pattern: "*.json", plugin: "notes" });
    await changeRule(context, rule.ruleId!, "disable");
    expect((await suggestions())[0]).toBe(
      `3: casparian rule enable ${rule.ruleId} --dry-run (rule ${rule.ruleId} (*.json) would take such files, and is disabled)`,
    );
    await changeRule(context, rule.ruleId!, "enable");
    await db.query("update cf_plugin_manifest set state = 'RETIRED' where name = 'notes'");
    expect((await suggestions())[0]).toBe(
      `3: casparian plugin publish FILE --name notes (rule ${rule.ruleId} (*.json) takes such files to notes, of which no version is active)`,
    );
    await db.query("update cf_plugin_manifest set state = 'ACTIVE' where name = 'notes'");
    expect(await suggestions()).toHaveLength(1);
    await add({ pattern: "vendor/", tag: "vendor" });
    expect(await suggestions()).toEqual([
      "2: casparian rule add --tagged vendor PLUGIN (they are tagged vendor, which leads to no plugin)",
    ]);
  });
});

test("files have the tags of the rules, and are found by them, also those that no plugin takes", async () => {
  const paths = async (request: Partial<Parameters<typeof listFiles>[1]>) =>
    (await listFiles(context, { unmatched: false, limit: 10, ...request })).files.map(({ path, tags }) => `${path} ${tags.join()}`);
  expect(await paths({ tag: "vendor" })).toEqual([
    "vendor/a.json vendor",
    "vendor/deep/b.json vendor",
    "vendor/A.CSV vendor",
    "vendor/B.CSV vendor",
  ]);
  expect(await paths({ tag: "vendor", unmatched: true })).toEqual(["vendor/A.CSV vendor", "vendor/B.CSV vendor"]);
  expect(await paths({ tag: "nobody" })).toEqual([]);
  expect(await paths({ unmatched: true })).toEqual(["README ", "vendor/A.CSV vendor", "vendor/B.CSV vendor"]);
  expect(await map({ tag: "vendor" })).toMatchObject({ present: 4, files: 2 });
  await add({ tagged: "vendor", plugin: "notes" });
  expect(await map()).toMatchObject({ files: 1, suggestions: [] });
});

test("memory stays flat however many names there are", () => {
  const groups = createGroups();
  for (let index = 0; index < 30_000; index += 1) groups.add(`.${index}`, { path: "p", sourceId: "1", sizeBytes: 2, modifiedAtMs: 0 });
  const { groups: listed, others } = groups.largest(10);
  expect(listed).toHaveLength(10);
  expect(others).toEqual({ files: 29_990, bytes: 59_980 });
});

test("an ending is what follows the last dot of a name", () => {
  expect(["a/b.tar.gz", "a.b/README", ".profile", "a.CSV", "odd."].map(endingOf)).toEqual([".gz", "", "", ".CSV", ""]);
});
