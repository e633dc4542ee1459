import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { activatePlugin, rollBackPlugin } from "../../control/activate-plugin.ts";
import { listPlugins } from "../../control/list-plugins.ts";
import { publishPlugin, type PublishedPlugin, type PublishRequest } from "../../control/publish-plugin.ts";
import { rejectPlugin } from "../../control/reject-plugin.ts";
import { activeRules } from "../../db/routing-rule.ts";
import { topicsOf } from "../../db/topic.ts";
import { parseTopicConfig } from "../../domain/topic.ts";
import { testDatabase } from "../support/database.ts";
import { testTools } from "../support/tools.ts";

const { db, close } = await testDatabase();
const folder = await mkdtemp(join(tmpdir(), "casparian-plugin-state-"));
const context = { db, actor: "ann@desk", temporal: null };
afterAll(async () => {
  await close();
  await rm(folder, { recursive: true, force: true });
});

function code(letter: string): string {
  return `MANIFEST = {"pattern": "*.${letter}"}\nclass Handler:\n    def execute(self, file_path: str):\n        return None\n`;
}

async function publish(name: string, source: string, options: Partial<PublishRequest> = {}): Promise<PublishedPlugin> {
  const file = join(folder, `${name}.py`);
  await writeFile(file, source);
  return publishPlugin(context, { file, force: false, backfill: false, tools: testTools(), ...options });
}

async function states(name: string): Promise<readonly string[]> {
  const plugins = (await listPlugins(context)).filter((plugin) => plugin.name === name);
  return plugins.map(({ version, state }) => `${version} ${state}`);
}

async function patterns(name: string): Promise<readonly string[]> {
  return (await activeRules(db)).filter((rule) => rule.pluginName === name).map((rule) => rule.pattern);
}

async function lastAudit(): Promise<unknown> {
  const { rows } = await db.query("select actor, action, subject, detail from cf_audit order by id desc limit 1");
  return rows[0];
}

test("a staged version changes nothing until it is activated, by name or by publishing it", async () => {
  await publish("staged", code("a"));
  expect(await publish("staged", code("b"), { stage: true })).toMatchObject({
    outcome: "staged",
    plugin: { version: "2", state: "STAGED", activatedAt: null },
    retired: null,
    rulesAdded: [],
    backlog: null,
  });
  expect(await lastAudit()).toMatchObject({ action: "plugin.stage", subject: "staged@2" });
  expect(await publish("staged", code("b"), { stage: true })).toMatchObject({ outcome: "unchanged", plugin: { state: "STAGED" } });
  expect(await publish("staged", code("a"), { stage: true })).toMatchObject({ outcome: "unchanged", plugin: { state: "ACTIVE" } });
  expect(await states("staged")).toEqual(["2 STAGED", "1 ACTIVE"]);
  expect(await patterns("staged")).toEqual(["*.a"]);

  expect(await activatePlugin(context, "staged", "2")).toMatchObject({ changed: true, before: "1", plugin: { state: "ACTIVE" } });
  expect(await patterns("staged")).toEqual(["*.b"]);

  await publish("staged", code("c"), { stage: true });
  expect(await publish("staged", code("c"))).toMatchObject({
    outcome: "activated",
    retired: "2",
    rulesAdded: ["*.c"],
    rulesRemoved: ["*.b"],
  });
  expect(await states("staged")).toEqual(["3 ACTIVE", "2 RETIRED", "1 RETIRED"]);
});

test("topics are not changed beneath an active version by staging another", async () => {
  const topics = parseTopicConfig('{"output": {"uri": "csv://elsewhere", "mode": "append"}}');
  expect(await publish("routed", code("a"), { stage: true, topics })).toMatchObject({ outcome: "staged", topicsSet: ["output"] });
  await activatePlugin(context, "routed", "1");
  const others = parseTopicConfig('{"output": {"uri": "jsonl://third", "mode": "append"}}');
  await expect(publish("routed", code("b"), { stage: true, topics: others })).rejects.toThrow("1 is active and would write to them");
  expect((await topicsOf(db, "routed")).get("output")?.uri).toBe("csv://elsewhere");
  expect(await states("routed")).toEqual(["1 ACTIVE"]);
});

test("rolling back goes to the version that was active before, and forward again", async () => {
  await publish("back", code("a"));
  await expect(rollBackPlugin(context, "back")).rejects.toThrow("no other version of back was active before");
  await publish("back", code("b"));
  await publish("back", code("c"));
  await activatePlugin(context, "back", "1");
  expect(await rollBackPlugin(context, "back")).toMatchObject({ before: "1", plugin: { version: "3", state: "ACTIVE" } });
  expect(await patterns("back")).toEqual(["*.c"]);
  expect(await rollBackPlugin(context, "back")).toMatchObject({ before: "3", plugin: { version: "1" } });
  expect(await states("back")).toEqual(["3 RETIRED", "2 RETIRED", "1 ACTIVE"]);
});

test("what is rejected stays so, by whatever door", async () => {
  await publish("bad", code("a"));
  await publish("bad", code("b"));
  expect(await rejectPlugin(context, "bad", "2", "it drops page two")).toMatchObject({
    changed: true,
    wasActive: true,
    plugin: { state: "REJECTED", rejectedReason: "it drops page two" },
  });
  expect(await lastAudit()).toEqual({
    actor: "ann@desk",
    action: "plugin.reject",
    subject: "bad@2",
    detail: { was: "ACTIVE", reason: "it drops page two" },
  });
  expect(await patterns("bad")).toEqual([]);
  expect(await rejectPlugin(context, "bad", "2", "again")).toMatchObject({
    changed: false,
    plugin: { rejectedReason: "it drops page two" },
  });
  await expect(activatePlugin(context, "bad", "2")).rejects.toThrow("bad 2 was rejected: it drops page two");
  await expect(publish("bad", code("b"))).rejects.toThrow("bad 2 was rejected");
  await expect(publish("bad", code("b"), { version: "9", stage: true })).rejects.toThrow("bad 2 was rejected");
  expect(await rollBackPlugin(context, "bad")).toMatchObject({ before: null, plugin: { version: "1", state: "ACTIVE" } });
  await expect(rejectPlugin(context, "bad", "1", " ")).rejects.toThrow("a reason has 1 to 2000 characters");
  await expect(rejectPlugin(context, "bad", "7", "none")).rejects.toThrow("plugin bad has no version 7");
  expect(await states("bad")).toEqual(["2 REJECTED", "1 ACTIVE"]);
});

test("the record takes legal moves only", async () => {
  await publish("moves", code("a"), { stage: true });
  const become = (state: string, also = "") => db.query(`update cf_plugin_manifest set state = '${state}'${also} where name = 'moves'`);
  const active = ", activated_at = now()";
  const rejected = ", rejected_reason = 'it is bad'";
  await expect(become("RETIRED", active)).rejects.toThrow("a plugin that is STAGED does not become RETIRED");
  await expect(become("ACTIVE")).rejects.toThrow("cf_plugin_manifest_activated");
  await expect(become("REJECTED")).rejects.toThrow("cf_plugin_manifest_rejected");
  await become("ACTIVE", active);
  await expect(become("STAGED")).rejects.toThrow("a plugin that is ACTIVE does not become STAGED");
  await become("RETIRED");
  await become("ACTIVE");
  await become("REJECTED", rejected);
  for (const state of ["STAGED", "ACTIVE", "RETIRED"]) {
    await expect(become(state, ", rejected_reason = null")).rejects.toThrow(`a plugin that is REJECTED does not become ${state}`);
  }
});
