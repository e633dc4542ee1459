import { afterAll, beforeEach, expect, test } from "vitest";
import { recordStaged } from "../../db/job-output.ts";
import { beginAttempt, endAttempt, setJobState } from "../../db/job.ts";
import { subscribe, unsubscribe } from "../../db/run-event-delivery.ts";
import { readRunEvents, waitingRunEvents, type RunEvent } from "../../db/run-event.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";

const { db, close } = await testDatabase();
afterAll(close);
const record = fillRecord(db);
const source = await record.source("in");
const pluginId = await record.plugin("trades", "1");
let files = 0;

beforeEach(() => subscribe(db, "host:/home", "file"));

/** A new job that waits. */
async function job(): Promise<string> {
  files += 1;
  return record.job(await record.version(source, `${files}.csv`, `content ${files}`), pluginId, "trades");
}

/** What is recorded for sending, after it was compared with what is told of the same job without subscription. */
async function eventsOf(jobId: string): Promise<readonly string[]> {
  const outbox = (await waitingRunEvents(db, 1_000)).filter((event) => event.jobId === jobId);
  const told: RunEvent[] = [];
  await readRunEvents(db, { since: new Date(0), jobId }, async (_tx, page) => told.push(...page) > 0);
  expect(outbox).toMatchObject(told.map((event) => ({ ...event })));
  return outbox.map(({ kind, attempt, errorCode }) => [kind, attempt, errorCode].filter((part) => part !== null).join(" "));
}

test("nothing is recorded unless somebody asks for it", async () => {
  await unsubscribe(db, "host:/home");
  const before = await waitingRunEvents(db, 1_000);
  await record.complete(await job(), 3, "/out/a.parquet");
  await setJobState(db, await job(), "CANCELLED", { code: "CANCELLED", message: "by an operator" });
  expect(await waitingRunEvents(db, 1_000)).toEqual(before);
});

test("an attempt has one event when it begins and one when it has ended", async () => {
  const [completed, failed] = [await job(), await job()];
  await record.complete(completed, 3, "/out/b.parquet");
  await record.fail(failed, "no");
  expect(await eventsOf(completed)).toEqual(["START 1", "COMPLETE 1"]);
  expect(await eventsOf(failed)).toEqual(["START 1", "FAIL 1 PLUGIN_RAISED"]);
});

test("an attempt that was lost has failed, and the next one is a run of its own", async () => {
  const id = await job();
  await beginAttempt(db, id, "a:1");
  await beginAttempt(db, id, "b:1");
  // The first worker was not dead, and says how it ended after all.
  await endAttempt(db, id, 1, { outcome: "CANCELLED", errorCode: "CANCELLED", errorMessage: "too late" });
  await endAttempt(db, id, 2, { outcome: "LOST", errorCode: "SINK_UNREACHABLE", errorMessage: "no" });
  await endAttempt(db, id, 2, { outcome: "FAILED", errorCode: "SINK_UNREACHABLE", errorMessage: "no" });
  const kinds = (await waitingRunEvents(db, 1_000)).filter((event) => event.jobId === id).map(({ kind, attempt }) => `${kind} ${attempt}`);
  // In one transaction, so in no order that matters: these are different runs.
  expect(kinds.toSorted()).toEqual(["FAIL 1", "FAIL 2", "START 1", "START 2"]);
  expect(kinds.indexOf("FAIL 1")).toBeGreaterThan(kinds.indexOf("START 1"));
  expect(kinds.indexOf("FAIL 2")).toBeGreaterThan(kinds.indexOf("START 2"));
});

test("cancelled and superseded attempts are aborted, also after everything was staged", async () => {
  const [cancelled, superseded] = [await job(), await job()];
  for (const id of [cancelled, superseded]) await beginAttempt(db, id, "a:1");
  const { rows } = await db.query<{ fileVersionId: string }>(
    `select file_version_id as "fileVersionId" from cf_processing_job where id = $1`,
    [cancelled],
  );
  expect(await recordStaged(db, { id: cancelled, attempt: 1, pluginId, ...rows[0]! }, [], 1)).toBe(true);
  expect(await eventsOf(cancelled)).toEqual(["START 1"]);
  const error = { code: "CANCELLED", message: "by an operator" };
  await endAttempt(db, cancelled, 1, { outcome: "CANCELLED", errorCode: error.code, errorMessage: error.message });
  await setJobState(db, cancelled, "CANCELLED", error);
  await endAttempt(db, superseded, 1, { outcome: "SUPERSEDED", errorCode: "SUPERSEDED", errorMessage: "it changed" });
  expect(await eventsOf(cancelled)).toEqual(["START 1", "ABORT 1 CANCELLED"]);
  expect(await eventsOf(superseded)).toEqual(["START 1", "ABORT 1 SUPERSEDED"]);
});

test("a job that ends before an attempt begins is told of as well, also when it had attempts before", async () => {
  const [cancelled, unbuildable] = [await job(), await job()];
  await setJobState(db, cancelled, "CANCELLED", { code: "CANCELLED", message: "by an operator" });
  expect(await eventsOf(cancelled)).toEqual(["START", "ABORT CANCELLED"]);
  await record.fail(unbuildable, "no");
  await setJobState(db, unbuildable, "QUEUED");
  await setJobState(db, unbuildable, "FAILED", { code: "ENVIRONMENT", message: "no such package" });
  expect(await eventsOf(unbuildable)).toEqual(["START 1", "FAIL 1 PLUGIN_RAISED", "START", "FAIL ENVIRONMENT"]);
});

test("an event is there when its transaction ends, and not when it is rolled back", async () => {
  const id = await job();
  const [one, other] = [await db.connect(), await db.connect()];
  try {
    await one.query("begin");
    await beginAttempt(one, id, "a:1");
    const [later] = [await job()];
    await beginAttempt(other, later, "b:1");
    expect((await waitingRunEvents(db, 1_000)).some((event) => event.jobId === id)).toBe(false);
    expect(await eventsOf(later)).toEqual(["START 1"]);
    await one.query("rollback");
    expect(await eventsOf(id)).toEqual([]);
  } finally {
    one.release();
    other.release();
  }
});
