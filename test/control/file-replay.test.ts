import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeEach, expect, test } from "vitest";
import { createReplayFilesActivities, type ReplayStep } from "../../activities/replay-files.ts";
import { replayFiles, type ReplayRequest, type RequestedReplay } from "../../control/file-replay/request.ts";
import { listFileReplays, showFileReplay } from "../../control/file-replay/show.ts";
import { resumeFileReplay, stopFileReplay } from "../../control/file-replay/steer.ts";
import { rejectPlugin } from "../../control/reject-plugin.ts";
import { beginAttempt } from "../../db/job.ts";
import { insertOutbox } from "../../db/outbox.ts";
import { activateArtifact } from "../../db/plugin.ts";
import { transaction } from "../../db/pool.ts";
import { insertRule } from "../../db/routing-rule.ts";
import type { Source } from "../../db/source-root.ts";
import { upsertTopic } from "../../db/topic.ts";
import "../support/quiet-temporal.ts";
import { testDatabase } from "../support/database.ts";
import { quietLog } from "../support/quiet-log.ts";
import { fillRecord } from "../support/record.ts";

const { db, close } = await testDatabase();
afterAll(close);
const context = { db, actor: "ann@desk", temporal: null };
const fill = fillRecord(db);
let dispatched = 0;
let refusal: Error | undefined;
const { handOut } = createReplayFilesActivities({
  db,
  log: quietLog,
  async dispatch({ limit = 0 } = {}) {
    if (refusal !== undefined) throw refusal;
    return (dispatched += limit);
  },
});

let made = 0;
let name: string;
let source: Source;
let one: string;
let two: string;

/** A plugin with a rule, versions 1 (active) and 2 (retired), and a source of its own. */
beforeEach(async () => {
  made += 1;
  name = `p${made}`;
  source = await fill.source(`s${made}`);
  two = await fill.plugin(name, "2");
  one = await fill.plugin(name, "1");
  await transaction(db, (tx) => activateArtifact(tx, name, one));
  await insertRule(db, { pattern: "*.csv", pluginName: name, sourceId: source.id, priority: 0, tag: null });
  [dispatched, refusal] = [0, undefined];
});

async function files(...paths: readonly string[]): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const path of paths) ids.push(await fill.version(source, path, path));
  await db.query("delete from cf_outbox");
  return ids;
}

function ask(request: Partial<ReplayRequest> = {}, insert = true): Promise<RequestedReplay> {
  return replayFiles(context, { plugin: `${name}@2`, allVersions: false, atOnce: 2, beside: false, ...request }, { insert });
}

/** As its workflow does. */
const step = (replayId: string): Promise<ReplayStep> => new MockActivityEnvironment().run(handOut, { replayId });

interface Job {
  readonly id: string;
  readonly version: string;
  readonly plugin: string;
  readonly state: string;
}

async function jobs(): Promise<readonly Job[]> {
  const { rows } = await db.query<Job>(
    `select id, file_version_id as version, plugin_id as plugin, state from cf_processing_job where plugin_name = $1 order by id`,
    [name],
  );
  return rows;
}

const outbox = async () => (await db.query("select file_version_id as id, reason from cf_outbox order by file_version_id")).rows;

async function completeAll(): Promise<void> {
  for (const job of await jobs()) if (job.state === "QUEUED") await fill.complete(job.id, 1, "somewhere");
}

test("a retired version gets jobs of its own, a few at a time and behind what is new, until all have had their turn", async () => {
  const ids = await files("a.csv", "b.csv", "c.csv", "other.txt");
  const { survey, replay } = await ask();
  expect(survey).toMatchObject({ fresh: 3, had: 0, jobs: 3, beside: [] });
  // What comes later is no part of it.
  await files("late.csv");
  expect(await step(replay!.id)).toMatchObject({ state: "RUNNING", open: 2, handedOut: 2 });
  expect(await outbox()).toEqual(ids.slice(0, 2).map((id) => ({ id, reason: "REPLAY" })));
  expect(await step(replay!.id)).toMatchObject({ open: 2, handedOut: 2 });
  expect(dispatched).toBe(2);
  await completeAll();
  expect(await step(replay!.id)).toMatchObject({ open: 1, handedOut: 3 });
  expect(await showFileReplay(context, replay!.id)).toMatchObject({ jobs: { COMPLETED: 2, QUEUED: 1 }, ended: 2, open: 1, expected: 3 });
  await completeAll();
  await step(replay!.id);
  expect(await step(replay!.id)).toMatchObject({ state: "COMPLETED", open: 0 });
  expect((await jobs()).map(({ version, plugin }) => [version, plugin])).toEqual(ids.slice(0, 3).map((id) => [id, two]));
  expect((await listFileReplays(context, 1))[0]).toMatchObject({ id: replay!.id, state: "COMPLETED", ended: 3, skipped: 0 });
  expect(await ask()).toMatchObject({ survey: { had: 3, fresh: 1, jobs: 1 } });
});

test("a version with a result of the artifact is left out, one that failed gets its job again, and one that waits is waited for", async () => {
  const [had, failed, waits, fresh] = (await files("a.csv", "b.csv", "c.csv", "d.csv")) as [string, string, string, string];
  await fill.complete(await fill.job(had, two, name), 1, "t");
  const again = await fill.job(failed, two, name);
  await fill.fail(again, "boom");
  const waiting = await fill.job(waits, two, name);
  const { survey, replay } = await ask({ atOnce: 9 });
  expect(survey).toMatchObject({ had: 1, again: 1, waiting: 1, fresh: 1, jobs: 3 });
  expect(await step(replay!.id)).toMatchObject({ open: 3, skipped: 1 });
  expect((await jobs()).map(({ id, state }) => [id, state])).toEqual([
    [expect.any(String), "COMPLETED"],
    [again, "QUEUED"],
    [waiting, "QUEUED"],
    [expect.any(String), "QUEUED"],
  ]);
  // Stopping takes back what the replay has queued, and not what waited already.
  await stopFileReplay(context, replay!.id);
  expect((await jobs()).map(({ version, state }) => [version, state])).toEqual([
    [had, "COMPLETED"],
    [failed, "CANCELLED"],
    [waits, "QUEUED"],
    [fresh, "CANCELLED"],
  ]);
});

test("stopped, it hands out nothing and leaves what runs; resumed, it goes on with what was taken back", async () => {
  await files("a.csv", "b.csv", "c.csv");
  const { replay } = await ask();
  const { id } = replay!;
  await step(id);
  const [running, queued] = (await jobs()) as [Job, Job];
  await beginAttempt(db, running.id, "test:1");
  expect(await stopFileReplay(context, id)).toMatchObject({
    changed: true,
    replay: { state: "STOPPED", open: 1, jobs: { RUNNING: 1, WITHDRAWN: 1 } },
  });
  expect(await stopFileReplay(context, id)).toMatchObject({ changed: false });
  expect(await step(id)).toMatchObject({ state: "STOPPED", open: 1 });
  expect((await jobs()).map(({ state }) => state)).toEqual(["RUNNING", "CANCELLED"]);
  expect(await resumeFileReplay(context, id)).toMatchObject({ changed: true, replay: { state: "RUNNING", endedAt: null } });
  await step(id);
  expect((await jobs()).map((job) => [job.id, job.state])).toEqual([
    [running.id, "RUNNING"],
    [queued.id, "QUEUED"],
  ]);
  await expect(stopFileReplay(context, "99999")).rejects.toThrow("there is no replay 99999");
});

test("a step that died before its dispatch is done again without making anything twice", async () => {
  await files("a.csv", "b.csv", "c.csv");
  const { replay } = await ask();
  refusal = new Error("Temporal is gone");
  await expect(step(replay!.id)).rejects.toThrow();
  refusal = undefined;
  expect(await step(replay!.id)).toMatchObject({ handedOut: 2, open: 2 });
  await completeAll();
  expect(await step(replay!.id)).toMatchObject({ handedOut: 3, open: 1 });
  expect(new Set((await jobs()).map(({ version }) => version)).size).toBe(3);
});

test("where rows of another version would stay, nothing is begun without a word; nowhere a second result is refused", async () => {
  const [id] = (await files("a.csv")) as [string];
  await upsertTopic(db, name, "output", { uri: "parquet://output/output", mode: "append" });
  await fill.complete(await fill.job(id, one, name), 1, "t");
  await expect(ask()).rejects.toThrow(/with mode append, and 1 of the file versions have rows of another version of p\d+ there/);
  expect((await ask({}, false)).survey.beside).toEqual([{ output: "output", uri: "parquet://output/output", mode: "append", versions: 1 }]);
  expect((await ask({ beside: true })).replay).toMatchObject({ state: "RUNNING" });
  await upsertTopic(db, name, "output", { uri: "parquet://output/output", mode: "error" });
  await expect(ask({ beside: true })).rejects.toThrow("a second result of a file is refused there");
  await upsertTopic(db, name, "output", { uri: "parquet://output/output", mode: "replace" });
  expect((await ask({}, false)).survey.beside).toEqual([]);
});

test("a glob, a source, a time and a number choose what is meant", async () => {
  const third = await fill.plugin(name, "3");
  await transaction(db, (tx) => activateArtifact(tx, name, one));
  await files("a.csv", "b.csv", "c.txt");
  const meant = async (request: Partial<ReplayRequest>) => (await ask({ plugin: `${name}@3`, ...request }, false)).survey.jobs;
  expect(await meant({})).toBe(2);
  expect(await meant({ on: "c.*", source: source.name })).toBe(1);
  expect(await meant({ limit: 1 })).toBe(1);
  expect(await meant({ since: new Date(Date.now() + 60_000) })).toBe(0);
  expect(await meant({ since: new Date(Date.now() - 60_000) })).toBe(2);
  await expect(ask({ source: "nowhere" })).rejects.toThrow('there is no source "nowhere"');
  const { replay } = await ask({ plugin: `${name}@3`, limit: 1, atOnce: 9 });
  await step(replay!.id);
  await completeAll();
  await step(replay!.id);
  expect(await step(replay!.id)).toMatchObject({ state: "COMPLETED" });
  expect((await jobs()).map(({ plugin }) => plugin)).toEqual([third]);
});

test("older versions of files whose source keeps snapshots are meant where they are asked for", async () => {
  await db.query("update cf_source_root set snapshots = true where id = $1", [source.id]);
  const [first] = (await files("a.csv")) as [string];
  const second = await fill.version(source, "a.csv", "changed");
  const third = await fill.version(source, "a.csv", "again");
  expect((await ask({}, false)).survey.jobs).toBe(1);
  const { replay } = await ask({ allVersions: true });
  await step(replay!.id);
  await completeAll();
  await step(replay!.id);
  expect((await jobs()).map(({ version }) => version)).toEqual([first, second, third]);
});

test("a version that is rejected meanwhile stops its replay, which says why and is not resumed", async () => {
  await files("a.csv", "b.csv", "c.csv");
  const { replay } = await ask({ atOnce: 1 });
  await step(replay!.id);
  await rejectPlugin(context, name, "2", "it drops page two");
  expect(await step(replay!.id)).toMatchObject({ state: "STOPPED" });
  expect(await showFileReplay(context, replay!.id)).toMatchObject({ reason: expect.stringContaining("was rejected: it drops page two") });
  await expect(resumeFileReplay(context, replay!.id)).rejects.toThrow("was rejected");
  await expect(ask()).rejects.toThrow("was rejected");
});

test("what waits in the outbox already keeps its own reason, and what comes after a replay takes its place", async () => {
  const [routed, retried] = (await files("a.csv", "b.csv")) as [string, string];
  await insertOutbox(db, [routed], "BACKFILL");
  const { replay } = await ask();
  await step(replay!.id);
  await insertOutbox(db, [retried], "RETRY");
  expect(await outbox()).toEqual([
    { id: routed, reason: "BACKFILL" },
    { id: retried, reason: "RETRY" },
  ]);
});
