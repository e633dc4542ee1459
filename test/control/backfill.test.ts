import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { activatePlugin } from "../../control/activate-plugin.ts";
import { addRule, type AddRuleRequest } from "../../control/add-rule.ts";
import { backfillNamed, type BackfillOptions, type BackfillRequest } from "../../control/backfill.ts";
import { changeRule, enableRule } from "../../control/change-rule.ts";
import { insertOutbox, takeOutboxRow } from "../../db/outbox.ts";
import { transaction } from "../../db/pool.ts";
import { activeRules } from "../../db/routing-rule.ts";
import { updateSource, type Source } from "../../db/source-root.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";
import { patience } from "../support/patience.ts";

const { db, close } = await testDatabase();
const context = { db, actor: "ann@desk", temporal: null };
const record = fillRecord(db);
afterAll(close);

let source: Source;
let count = 0;
beforeEach(async () => {
  // Each test has a source and plugins of its own; what others have left is out of the way.
  await db.query("delete from cf_outbox");
  await db.query("delete from cf_routing_rule");
  await db.query("update cf_source_root set state = 'REMOVED'");
  count += 1;
  source = await record.source(`source-${count}`);
});

const outbox = async () =>
  (await db.query<{ id: string; reason: string }>("select file_version_id as id, reason from cf_outbox order by file_version_id")).rows;
const planAll = () => db.query("delete from cf_outbox");
const add = (request: Partial<AddRuleRequest>) => addRule(context, { backfill: false, ...request });
const fill = (request: Partial<BackfillRequest> = {}, options: Partial<BackfillOptions> = {}) =>
  backfillNamed(context, { allVersions: false, ...request }, { insert: true, ...options });

/** Present files without jobs, with one version each, in one statement: ids of the versions. */
async function manyFiles(amount: number): Promise<readonly string[]> {
  const { rows } = await db.query<{ id: string }>(
    `with location as (
       insert into cf_file_location (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode)
       select $1, 'many/' || n || '.csv', 1, 1, 1, n from generate_series(1, $2::int) as n returning id
     )
     insert into cf_file_version (location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at)
     select id, 1, repeat('0', 64), 1, 1, 1, 1, now() from location returning id`,
    [source.id, amount],
  );
  return rows.map((row) => row.id);
}

test("a dry run of a rule tells files, bytes, examples and what the plugin has had, and changes nothing", async () => {
  const earlier = await record.plugin("clean", `${count}.1`);
  const had = await record.version(source, "a.csv", "12");
  const hadEarlier = await record.version(source, "b.csv", "123");
  const waits = await record.version(source, "c.csv", "1234");
  await record.version(source, "d.csv", "12345");
  await record.version(source, "e.txt", "1");
  await planAll();
  await record.job(hadEarlier, earlier, "clean");
  const active = await record.plugin("clean", `${count}.2`);
  await record.job(had, active, "clean");
  await insertOutbox(db, [waits], "BACKFILL");
  const { rows: before } = await db.query("select count(*)::int from cf_audit");

  const told = await add({ pattern: "*.csv", plugin: "clean", dryRun: true, backfill: true });

  expect(told).toMatchObject({ outcome: "added", dryRun: true, rule: { ruleId: null, pluginName: "clean", activeVersion: `${count}.2` } });
  expect(told.backlog).toEqual({
    files: 4,
    bytes: 14,
    examples: ["a.csv", "b.csv", "c.csv"],
    plugins: [{ plugin: "clean", version: `${count}.2`, had: 1, hadOther: 1, missing: 3 }],
    missing: 3,
    waiting: 1,
    queued: 0,
  });
  expect((await db.query("select from cf_routing_rule")).rowCount).toBe(0);
  expect((await db.query("select count(*)::int from cf_audit")).rows).toEqual(before);
  expect(await outbox()).toEqual([{ id: waits, reason: "BACKFILL" }]);

  // What it told is what then happens.
  const done = await add({ pattern: "*.csv", plugin: "clean", backfill: true });
  expect(done.backlog).toEqual({ ...told.backlog, queued: 2 });
  expect(await add({ pattern: "*.csv", plugin: "clean", priority: 3, dryRun: true })).toMatchObject({
    outcome: "changed",
    rule: { ruleId: done.rule.ruleId, priority: 3 },
  });
  expect((await activeRules(db))[0]).toMatchObject({ priority: 0 });
});

test("a disabled rule is tried out, enabled, and its backlog queued", async () => {
  await record.plugin("clean", `${count}`);
  const id = await record.version(source, "a.csv", "1");
  await planAll();
  const { rule } = await add({ pattern: "*.csv", plugin: "clean" });
  await changeRule(context, rule.ruleId!, "disable");
  expect((await fill()).files).toBe(0);
  await expect(fill({ ruleId: rule.ruleId! })).rejects.toMatchObject({ hint: `casparian rule enable ${rule.ruleId}` });

  const request = { ruleId: rule.ruleId!, backfill: true, dryRun: true };
  expect(await enableRule(context, request)).toMatchObject({ backlog: { files: 1, missing: 1, queued: 0 } });
  expect(await activeRules(db)).toEqual([]);
  expect(await enableRule(context, { ...request, dryRun: false })).toMatchObject({ backlog: { files: 1, missing: 1, queued: 1 } });
  expect(await outbox()).toEqual([{ id, reason: "BACKFILL" }]);
});

describe("a backlog", () => {
  test("of more than one batch is queued once, and again only where something is missing", async () => {
    const plugin = await record.plugin("clean", `${count}`);
    const ids = await manyFiles(12_000);
    await add({ pattern: "*.csv", plugin: "clean" });
    const seen: number[] = [];
    const onProgress = (progress: { filesSeen: number }) => void seen.push(progress.filesSeen);
    expect(await fill({ plugin: "clean" }, { onProgress })).toMatchObject({ files: 12_000, missing: 12_000, waiting: 0, queued: 12_000 });
    expect(seen).toEqual([5_000, 10_000, 12_000]);
    expect(await fill({ plugin: "clean" })).toMatchObject({ missing: 12_000, waiting: 12_000, queued: 0 });

    await db.query("delete from cf_outbox where file_version_id = any ($1::bigint[])", [ids.slice(0, 10)]);
    for (const id of ids.slice(0, 4)) await record.job(id, plugin, "clean");
    expect(await fill({ plugin: "clean" })).toMatchObject({ missing: 11_996, waiting: 11_990, queued: 6 });
    expect(await outbox()).toHaveLength(11_996);
    const { rows } = await db.query("select subject, count(*)::int from cf_audit where action = 'backfill' group by 1");
    expect(rows).toContainEqual({ subject: "clean", count: 2 });
  });

  test("that is interrupted keeps what is queued by then, and the next call queues the rest", async () => {
    await record.plugin("clean", `${count}`);
    await manyFiles(12_000);
    await add({ pattern: "*.csv", plugin: "clean" });
    const stop = new AbortController();
    await expect(
      fill({}, { signal: stop.signal, onProgress: ({ queued }) => queued >= 5_000 && stop.abort(new Error("Ctrl-C")) }),
    ).rejects.toThrow("Ctrl-C");
    expect(await outbox()).toHaveLength(5_000);
    expect(await fill()).toMatchObject({ waiting: 5_000, queued: 7_000 });
  });

  test("is what the plugin has not had: of one rule, one source, or one plugin", async () => {
    const clean = await record.plugin("clean", `${count}`);
    await record.plugin("audit", `${count}`);
    const other = await record.source(`other-${count}`);
    const a = await record.version(source, "a.csv", "a");
    const b = await record.version(source, "b.txt", "b");
    const c = await record.version(other, "c.csv", "c");
    await planAll();
    await record.job(a, clean, "clean");
    const csv = await add({ pattern: "*.csv", plugin: "clean" });
    await add({ pattern: "*", plugin: "audit" });
    const queuedBy = async (request: Partial<BackfillRequest>) => {
      await fill(request);
      const ids = (await outbox()).map((row) => row.id);
      await planAll();
      return ids;
    };
    expect(await queuedBy({ plugin: "clean" })).toEqual([c]);
    expect(await queuedBy({ ruleId: csv.rule.ruleId! })).toEqual([c]);
    expect(await queuedBy({ source: source.name })).toEqual([a, b]);
    expect(await queuedBy({ plugin: "audit", ruleId: csv.rule.ruleId! })).toEqual([]);
    expect(await queuedBy({})).toEqual([a, b, c]);
    expect(await fill({ plugin: "audit" }, { insert: false })).toMatchObject({
      plugins: [{ plugin: "audit", had: 0, hadOther: 0, missing: 3 }],
    });
    await expect(fill({ plugin: "cleam" })).rejects.toMatchObject({ hint: "Did you mean clean?" });
    await expect(fill({ ruleId: "0" })).rejects.toThrow("there is no rule 0");
    await expect(fill({ source: "sauce" })).rejects.toThrow('there is no source "sauce"');
  });

  test("is the newest version of each present file; older ones with --all-versions where the source keeps snapshots", async () => {
    await record.plugin("clean", `${count}`);
    const first = await record.version(source, "a.csv", "1");
    const second = await record.version(source, "a.csv", "2");
    await record.version(source, "gone.csv", "3");
    await db.query("update cf_file_location set state = 'VANISHED', vanished_at = now() where rel_path = 'gone.csv' and source_id = $1", [
      source.id,
    ]);
    await planAll();
    await add({ pattern: "*.csv", plugin: "clean" });
    expect(await fill({ allVersions: true })).toMatchObject({ files: 1, missing: 1, queued: 1 });
    expect(await outbox()).toEqual([{ id: second, reason: "BACKFILL" }]);
    await updateSource(db, source.id, { ...source, snapshots: true });
    expect(await fill({ allVersions: true })).toMatchObject({ files: 1, missing: 2, waiting: 1, queued: 1 });
    expect((await outbox()).map((row) => row.id)).toEqual([first, second]);
  });

  test("includes a version that waits for a retry only: it is routed then", async () => {
    await record.plugin("clean", `${count}`);
    const id = await record.version(source, "a.csv", "1");
    await planAll();
    await insertOutbox(db, [id], "RETRY");
    await db.query("update cf_outbox set started_at = now()");
    await add({ pattern: "*.csv", plugin: "clean" });
    expect(await fill()).toMatchObject({ missing: 1, waiting: 0, queued: 1 });
    expect(await outbox()).toEqual([{ id, reason: "BACKFILL" }]);
    expect((await db.query("select from cf_outbox where started_at is null")).rowCount).toBe(1);
  });

  test("waits for a version that is just being planned by the rules as they were, and queues it after that", async () => {
    await record.plugin("clean", `${count}`);
    const id = await record.version(source, "a.csv", "1");
    let filling: Promise<unknown> | undefined;
    await transaction(db, async (tx) => {
      await takeOutboxRow(tx, id);
      // The planner has read its rules, and commits after the rule is there.
      await add({ pattern: "*.csv", plugin: "clean" });
      filling = fill();
      await expect.poll(async () => (await db.query("select from pg_locks where not granted")).rowCount, patience).toBe(1);
    });
    expect(await filling).toMatchObject({ missing: 1, waiting: 0, queued: 1 });
    expect(await outbox()).toEqual([{ id, reason: "BACKFILL" }]);
  });

  test("comes with a version of a plugin that is activated again", async () => {
    const first = await record.plugin("clean", `${count}.1`, { manifest: { patterns: ["*.csv"] } });
    await record.plugin("clean", `${count}.2`, { manifest: { patterns: ["*.csv"] } });
    const [a, b] = [await record.version(source, "a.csv", "1"), await record.version(source, "b.csv", "2")];
    await planAll();
    await record.job(a, first, "clean");
    expect(await activatePlugin(context, "clean", `${count}.1`)).toMatchObject({ changed: true, backlog: { missing: 1, queued: 0 } });
    const again = await activatePlugin(context, "clean", `${count}.1`, { insert: true });
    expect(again).toMatchObject({ changed: false, backlog: { plugins: [{ had: 1, missing: 1 }], queued: 1 } });
    expect(await outbox()).toEqual([{ id: b, reason: "BACKFILL" }]);
  });
});

describe("tags", () => {
  test("a rule that gives a tag offers what is on record to the plugins that take the tag, and the other way round", async () => {
    await record.plugin("clean", `${count}`);
    const id = await record.version(source, "trades/a.csv", "1");
    await record.version(source, "b.csv", "2");
    await planAll();
    const given = await add({ pattern: "trades/**", tag: "trades" });
    expect(given).toMatchObject({
      outcome: "added",
      rule: { pluginName: null, tag: "trades" },
      backlog: { files: 1, plugins: [], missing: 0 },
    });
    expect(given.warnings).toEqual(["no plugin takes files by the tag trades yet: casparian rule add --tagged trades PLUGIN"]);
    expect(await add({ tagged: "trades", plugin: "clean", dryRun: true, backfill: true })).toMatchObject({
      warnings: [],
      rule: { pattern: "*", tagged: "trades" },
      backlog: { files: 1, examples: ["trades/a.csv"], plugins: [{ plugin: "clean", missing: 1 }], queued: 0 },
    });
    await add({ tagged: "trades", plugin: "clean" });
    expect(await add({ pattern: "trades/**", tag: "trades", backfill: true })).toMatchObject({
      outcome: "unchanged",
      backlog: { queued: 1 },
    });
    expect(await outbox()).toEqual([{ id, reason: "BACKFILL" }]);
  });

  test("are words, one step from a plugin, and each is a rule of its own", async () => {
    await record.plugin("clean", `${count}`);
    expect(await add({ pattern: "*", tag: "one" })).toMatchObject({ outcome: "added" });
    expect(await add({ pattern: "*", tag: "two" })).toMatchObject({ outcome: "added" });
    expect(await add({ pattern: "*", tag: "two" })).toMatchObject({ outcome: "unchanged" });
    expect(await add({ pattern: "*", plugin: "clean", tag: "two" })).toMatchObject({ outcome: "added" });
    expect(await add({ pattern: "*", plugin: "clean", tag: "three" })).toMatchObject({ outcome: "changed", rule: { tag: "three" } });
    expect(await add({ tagged: "four", plugin: "clean" })).toMatchObject({
      outcome: "added",
      warnings: ["no rule gives the tag four yet: casparian rule add PATTERN --tag four"],
    });
    await expect(add({ pattern: "*" })).rejects.toThrow("neither a plugin nor a tag");
    await expect(add({ tagged: "one" })).rejects.toThrow("a rule by tag sends files to a plugin");
    await expect(add({ tagged: "one", plugin: "clean", tag: "two" })).rejects.toThrow("gives no tag itself");
    await expect(add({ pattern: "*", tag: "a b" })).rejects.toThrow('"a b" can\'t be a tag');
    await expect(add({ plugin: "clean" })).rejects.toThrow("the rule has no pattern");
    await expect(
      db.query("insert into cf_routing_rule (pattern, plugin_name, tagged, tag) values ('*', 'clean', 'a', 'b')"),
    ).rejects.toThrow("cf_routing_rule_two_steps");
    await expect(db.query("insert into cf_routing_rule (pattern, tagged) values ('*', 'a')")).rejects.toThrow("violates check");
    await expect(db.query("insert into cf_routing_rule (pattern) values ('*')")).rejects.toThrow("cf_routing_rule_does_something");
  });
});

test("a backlog waits with its source's priority, for its workers", async () => {
  await updateSource(db, source.id, { ...source, priority: 7, workerGroup: "nas" });
  await record.plugin("clean", `${count}`);
  await record.version(source, "a.csv", "1");
  await planAll();
  await add({ pattern: "*.csv", plugin: "clean" });
  await fill();
  const { rows } = await db.query("select reason, priority, worker_group from cf_outbox");
  expect(rows).toEqual([{ reason: "BACKFILL", priority: 7, worker_group: "nas" }]);
});
