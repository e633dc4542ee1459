import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { activatePlugin } from "../../control/activate-plugin.ts";
import { addRule } from "../../control/add-rule.ts";
import { showPlugin } from "../../control/list-plugins.ts";
import { publishPlugin, type PublishedPlugin, type PublishRequest } from "../../control/publish-plugin.ts";
import { loadArtifact } from "../../db/plugin.ts";
import { activeRules } from "../../db/routing-rule.ts";
import { topicsOf } from "../../db/topic.ts";
import { TerminalFailure, WrongUse } from "../../domain/failure.ts";
import { parseTopicConfig } from "../../domain/topic.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";
import { sha256 } from "../support/sha256.ts";
import { testTools } from "../support/tools.ts";

const { db, close } = await testDatabase();
const folder = await mkdtemp(join(tmpdir(), "casparian-publish-"));
const context = { db, actor: "ann@desk", temporal: null };
const record = fillRecord(db);
afterAll(async () => {
  await close();
  await rm(folder, { recursive: true, force: true });
});

const handler = "class Handler:\n    def execute(self, file_path: str):\n        return None\n";

async function publish(name: string, code: string, options: Partial<PublishRequest> = {}): Promise<PublishedPlugin> {
  const file = join(folder, `${name}.py`);
  await writeFile(file, code);
  return publishPlugin(context, { file, force: false, backfill: false, tools: testTools(), ...options });
}

async function failureOf(work: Promise<unknown>): Promise<TerminalFailure> {
  try {
    await work;
  } catch (error) {
    if (error instanceof TerminalFailure) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

describe("the two forms of the documents", () => {
  test("without an SDK: the manifest's pattern becomes a rule", async () => {
    const published = await publishPlugin(context, {
      file: resolve(import.meta.dirname, "../plugins/no_sdk.py"),
      force: false,
      backfill: false,
      tools: testTools(),
    });
    expect(published).toMatchObject({
      outcome: "published",
      plugin: { name: "no_sdk", version: "1", state: "ACTIVE", publisher: "ann@desk", manifest: { patterns: ["*.csv"], topic: "output" } },
      retired: null,
      rulesAdded: ["*.csv"],
      warnings: [],
    });
    const artifact = await loadArtifact(db, published.plugin.id);
    expect(artifact.environment.lockfile).toMatch(/^pandas==/m);
    expect(artifact.artifactHash).toBe(sha256(`${artifact.sourceCode}\0${artifact.environmentHash}`));
  });

  test("with the old SDK: no rule by itself, and its topics as JSON", async () => {
    const published = await publishPlugin(context, {
      file: resolve(import.meta.dirname, "../plugins/old_sdk.py"),
      topics: parseTopicConfig('{"topic_name": {"uri": "parquet://./output", "mode": "append"}}'),
      force: false,
      backfill: false,
      tools: testTools(),
    });
    expect(published).toMatchObject({ outcome: "published", rules: [], topicsSet: ["topic_name"], warnings: [] });
    expect(await topicsOf(db, "old_sdk")).toEqual(new Map([["topic_name", { uri: "parquet://./output", mode: "append" }]]));
  });
});

describe("versions", () => {
  const first = `MANIFEST = {"pattern": ["*.a", "*.b"]}\n${handler}`;
  const second = `MANIFEST = {"pattern": ["*.b", "*.c"], "topic": "rows"}\n${handler}`;
  const patterns = async () => (await activeRules(db)).filter((rule) => rule.pluginName === "clean").map((rule) => rule.pattern);

  test("the same content twice changes nothing", async () => {
    expect(await publish("clean", first)).toMatchObject({ outcome: "published", plugin: { version: "1" } });
    const before = await db.query("select * from cf_audit");
    expect(await publish("clean", first)).toMatchObject({ outcome: "unchanged", plugin: { version: "1" }, retired: null });
    expect((await db.query("select * from cf_audit")).rows).toEqual(before.rows);
  });

  test("new content is the next version: the earlier one is retired, and rules follow the manifest but for an operator's", async () => {
    await addRule(context, { pattern: "special.csv", plugin: "clean", backfill: false });
    expect(await publish("clean", second)).toMatchObject({
      outcome: "published",
      plugin: { version: "2" },
      retired: "1",
      rulesAdded: ["*.c"],
      rulesRemoved: ["*.a"],
    });
    expect(await patterns()).toEqual(["*.b", "special.csv", "*.c"]);
    const { versions } = await showPlugin(context, "clean");
    expect(versions.map(({ version, state }) => `${version} ${state}`)).toEqual(["2 ACTIVE", "1 RETIRED"]);
  });

  test("earlier content is that version again, by publishing or by name", async () => {
    expect(await publish("clean", first)).toMatchObject({ outcome: "reactivated", plugin: { version: "1" }, retired: "2" });
    expect(await patterns()).toEqual(["*.b", "special.csv", "*.a"]);
    expect(await activatePlugin(context, "clean", "2")).toMatchObject({ changed: true, before: "1" });
    expect(await activatePlugin(context, "clean", "2")).toMatchObject({ changed: false });
    await expect(activatePlugin(context, "clean", "3")).rejects.toThrow("plugin clean has no version 3");
  });

  test("a version that is given is kept, and never gets other content", async () => {
    expect(await publish("clean", `${second}# dated\n`, { version: "2026.11" })).toMatchObject({ plugin: { version: "2026.11" } });
    const refused = await failureOf(publish("clean", `${second}# other\n`, { version: "2026.11" }));
    expect(refused).toBeInstanceOf(WrongUse);
    expect(refused.message).toContain("clean 2026.11 is published with other content");
    expect(refused.hint).toContain("3 is free");
    await expect(db.query("update cf_plugin_manifest set source_code = 'x' where name = 'clean'")).rejects.toThrow("immutable");
  });

  test("two who publish at once get a version each, and one of them is active", async () => {
    const codes = ["a", "b", "c"].map((letter) => `${handler}# ${letter}\n`);
    const files = await Promise.all(
      codes.map(async (code, i) => {
        const file = join(folder, `race-${i}.py`);
        await writeFile(file, code);
        return file;
      }),
    );
    const all = await Promise.all(
      files.map((file) => publishPlugin(context, { file, name: "race", force: false, backfill: false, tools: testTools() })),
    );
    expect(all.map(({ plugin }) => plugin.version).toSorted()).toEqual(["1", "2", "3"]);
    const { rows } = await db.query("select count(*)::int as active from cf_plugin_manifest where name = 'race' and state = 'ACTIVE'");
    expect(rows).toEqual([{ active: 1 }]);
  });
});

describe("what is refused, with nothing stored", () => {
  test.each([
    ["no Handler", "PLUGIN_NO_HANDLER", "def execute(): pass\n"],
    ["a Handler that is no class", "PLUGIN_HANDLER_NOT_A_CLASS", "Handler = 3\n"],
    ["a syntax error", "PLUGIN_SYNTAX", "class Handler\n"],
    ["an import that the standard environment lacks", "PLUGIN_IMPORT_MISSING", `import sklearn, json\nimport pandas\n${handler}`],
  ])("%s", async (_, code, source) => {
    const refused = await failureOf(publish("refused", source));
    expect(refused.code).toBe(code);
    expect((await db.query("select from cf_plugin_manifest where name = 'refused'")).rowCount).toBe(0);
  });

  test("a missing import is named with the lines to add; --force publishes all the same", async () => {
    const source = `import sklearn\n${handler}`;
    const refused = await failureOf(publish("model", source));
    expect(refused.message).toBe("the plugin imports sklearn, which the standard environment does not have");
    expect(refused.hint).toContain('# /// script\n# dependencies = ["pandas", "pyarrow", "scikit-learn"]\n# ///');
    expect((await publish("model", source, { force: true })).warnings.join()).toContain("sklearn");
  });

  test("an import that the plugin can do without is not missed", async () => {
    expect(await publish("careful", `try:\n    import polars\nexcept ImportError:\n    polars = None\n${handler}`)).toMatchObject({
      warnings: [],
    });
  });

  test("files and names that can't be", async () => {
    const request = { force: false, backfill: false, tools: testTools() };
    expect((await failureOf(publishPlugin(context, { ...request, file: join(folder, "none.py") }))).message).toContain("there is no file");
    expect((await failureOf(publishPlugin(context, { ...request, file: folder }))).message).toContain("is a folder");
    expect((await failureOf(publish("has space", handler))).hint).toContain("--name");
    expect((await failureOf(publish("fine", handler, { version: "a b" }))).message).toContain("can't be a version");
  });

  test("a sink that nobody knows", async () => {
    const refused = await failureOf(publish("sunk", handler, { topics: parseTopicConfig('{"sunk": {"uri": "ftp://there"}}') }));
    expect(refused.code).toBe("SINK_SCHEME");
    expect((await db.query("select from cf_plugin_manifest where name = 'sunk'")).rowCount).toBe(0);
  });

  test("a topic that the code does not name is doubted", async () => {
    const { warnings } = await publish("typo", handler, { topics: parseTopicConfig('{"tpyo": {"uri": "parquet://x"}}') });
    expect(warnings).toEqual(["the plugin's code does not name the topic tpyo; it names typo"]);
  });
});

describe("files that were on record before", () => {
  test("are counted, and queued when asked for: the newest version of each present file that the plugin has not had", async () => {
    const source = await record.source("inbox");
    const old = await record.version(source, "x.late", "1");
    const newest = await record.version(source, "x.late", "2");
    const done = await record.version(source, "deep/y.late", "3");
    const gone = await record.version(source, "z.late", "4");
    await db.query("update cf_file_location set state = 'VANISHED', vanished_at = now() where rel_path = 'z.late'");
    await db.query("delete from cf_outbox");

    const code = `MANIFEST = {"pattern": "*.late"}\n${handler}`;
    const published = await publish("late", code);
    expect(published).toMatchObject({ backlog: { files: 2, missing: 2, queued: 0 } });
    await record.job(done, published.plugin.id, "late");
    expect(await publish("late", code, { backfill: true })).toMatchObject({
      outcome: "unchanged",
      backlog: { files: 2, missing: 1, queued: 1 },
    });
    const { rows } = await db.query("select file_version_id as id, reason from cf_outbox");
    expect(rows).toEqual([{ id: newest, reason: "BACKFILL" }]);
    expect([old, gone]).not.toContain(newest);
    expect(await addRule(context, { pattern: "x.*", plugin: "late", backfill: false })).toMatchObject({
      backlog: { files: 1, missing: 1, waiting: 1 },
    });
  });
});
