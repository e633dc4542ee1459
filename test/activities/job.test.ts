import { appendFile, readdir, unlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { offerVersions } from "../../db/backlog.ts";
import { rejectArtifact } from "../../db/plugin.ts";
import { transaction } from "../../db/pool.ts";
import { insertRule } from "../../db/routing-rule.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { readResults } from "../support/parquet.ts";
import { csv, csvPlugin, tablePlugin, slowPlugin } from "../support/samples.ts";
import { patience } from "../support/patience.ts";

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await createJobFixture();
  await fixture.publish("quick", csvPlugin, "*.csv");
  await fixture.publish("slow", slowPlugin(1.5), "*.slow");
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

/** Runs an activity as a worker does: with a context, and failures as Temporal's. */
function act<A, R>(activity: (input: A) => Promise<R>, input: A, environment = new MockActivityEnvironment()): Promise<R> {
  return environment.run(activity, input);
}

async function plan(name: string, content: string): Promise<{ readonly jobId: string; readonly fileVersionId: string }> {
  const fileVersionId = await fixture.record(name, content);
  const { jobs } = await act(fixture.activities.planJobs, { fileVersionId });
  expect(jobs).toHaveLength(1);
  return { jobId: jobs[0]!.jobId, fileVersionId };
}

async function job(jobId: string) {
  const { rows } = await fixture.database.db.query<{ state: string; attempt: number; error_code: string | null; outcomes: string[] }>(
    `select j.state, j.attempt, j.error_code, array(select a.outcome from cf_job_attempt a where a.job_id = j.id order by a.attempt) as outcomes
     from cf_processing_job j where j.id = $1`,
    [jobId],
  );
  return rows[0]!;
}

async function outputs(jobId: string) {
  const { rows } = await fixture.database.db.query("select * from cf_job_output where job_id = $1 order by attempt, output_name", [jobId]);
  return rows;
}

/** Everything below the output folder, staged files included. */
async function filesOnDisk(): Promise<readonly string[]> {
  const entries = await readdir(fixture.output, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

const mine = async (jobId: string) => (await readResults(fixture.output)).filter((result) => result.jobIds.includes(jobId));

test("planning twice makes the jobs once and empties the outbox", async () => {
  const { fileVersionId, jobId } = await plan("twice.csv", csv(3));
  const again = await act(fixture.activities.planJobs, { fileVersionId });
  expect(again.jobs.map((planned) => planned.jobId)).toEqual([jobId]);
  const { rows } = await fixture.database.db.query("select from cf_outbox where file_version_id = $1", [fileVersionId]);
  expect(rows).toHaveLength(0);
});

test("a version is planned for the plugin that takes its tag, and one that is offered again for what has come since", async () => {
  const { db } = fixture.database;
  const fileVersionId = await fixture.record("tagged-by-rule.txt", csv(1));
  await insertRule(db, { pattern: "tagged-*", pluginName: null, sourceId: null, priority: 0, tag: "prose" });
  expect((await act(fixture.activities.planJobs, { fileVersionId })).jobs).toEqual([]);
  await insertRule(db, { pattern: "*", pluginName: "quick", tagged: "prose", sourceId: null, priority: 0, tag: null });
  expect((await act(fixture.activities.planJobs, { fileVersionId })).jobs).toEqual([]);
  expect(await offerVersions(db, [fileVersionId])).toBe(1);
  expect(await offerVersions(db, [fileVersionId])).toBe(0);
  expect((await act(fixture.activities.planJobs, { fileVersionId })).jobs).toMatchObject([{ plugin: "quick" }]);
});

test("rows are invisible until the commit, which may be repeated; the ledger has the counts of every boundary", async () => {
  const { jobId } = await plan("plain.csv", csv(50));
  expect(await act(fixture.activities.runPlugin, { jobId, quick: false })).toEqual({ outcome: "STAGED", attempt: 1 });
  expect(await mine(jobId)).toEqual([]);

  const commits = await Promise.all([
    act(fixture.activities.commitJob, { jobId, attempt: 1 }),
    act(fixture.activities.commitJob, { jobId, attempt: 1 }),
  ]);
  expect(commits).toEqual([{ state: "COMPLETED" }, { state: "COMPLETED" }]);
  expect((await mine(jobId)).map(({ rows }) => rows)).toEqual([50]);
  expect(await outputs(jobId)).toMatchObject([
    { state: "COMMITTED", rows_sent: "50", rows_received: "50", rows_written: "50", rows_read_back: "50", output_name: "quick" },
  ]);
  expect(await job(jobId)).toMatchObject({ state: "COMPLETED", outcomes: ["COMMITTED"] });
});

test("a run whose end was not reported is not repeated: what it staged is committed", async () => {
  const { jobId } = await plan("unreported.csv", csv(5));
  await act(fixture.activities.runPlugin, { jobId, quick: false });
  expect(await act(fixture.activities.runPlugin, { jobId, quick: false })).toEqual({ outcome: "STAGED", attempt: 1 });
  const { rows } = await fixture.database.db.query<{ id: string }>("select file_version_id as id from cf_processing_job where id = $1", [
    jobId,
  ]);
  const { jobs } = await act(fixture.activities.planJobs, { fileVersionId: rows[0]!.id });
  expect(jobs[0]!.stagedAttempt).toBe(1);
});

test("a file that changed before it was read is superseded, and its path is scanned", async () => {
  const { jobId } = await plan("changed.csv", csv(5));
  await appendFile(join(fixture.folder, "in/changed.csv"), "9,more,1\n");
  expect(await act(fixture.activities.runPlugin, { jobId, quick: false })).toEqual({ outcome: "SUPERSEDED" });
  expect(await job(jobId)).toMatchObject({ state: "SUPERSEDED", error_code: "SUPERSEDED" });
  expect(fixture.scansRequested).toContain("changed.csv");
});

test("a file that is gone is superseded", async () => {
  const { jobId } = await plan("gone.csv", csv(5));
  await unlink(join(fixture.folder, "in/gone.csv"));
  expect(await act(fixture.activities.runPlugin, { jobId, quick: false })).toEqual({ outcome: "SUPERSEDED" });
});

test("a file that changes while it is read is superseded, and nothing of it stays", async () => {
  const { jobId } = await plan("growing.slow", csv(5));
  const before = await filesOnDisk();
  const running = act(fixture.activities.runPlugin, { jobId, quick: false });
  await vi.waitFor(async () => expect((await filesOnDisk()).some((name) => name.startsWith(`${jobId}-1-`))).toBe(true), patience);
  await appendFile(join(fixture.folder, "in/growing.slow"), "9,more,1\n");
  expect(await running).toEqual({ outcome: "SUPERSEDED" });
  expect(await filesOnDisk()).toEqual(before);
});

test("a file that is only touched while it is read is read again", async () => {
  const { jobId } = await plan("touched.slow", csv(8));
  const running = act(fixture.activities.runPlugin, { jobId, quick: false });
  const failed = expect(running).rejects.toMatchObject({ type: "INPUT_TOUCHED", nonRetryable: false });
  await vi.waitFor(async () => expect((await filesOnDisk()).some((name) => name.startsWith(`${jobId}-1-`))).toBe(true), patience);
  await utimes(join(fixture.folder, "in/touched.slow"), new Date(), new Date());
  await failed;
  expect(await act(fixture.activities.runPlugin, { jobId, quick: false })).toEqual({ outcome: "STAGED", attempt: 2 });
  await act(fixture.activities.commitJob, { jobId, attempt: 2 });
  expect((await mine(jobId)).map(({ rows }) => rows)).toEqual([8]);
  expect(await job(jobId)).toMatchObject({ state: "COMPLETED", outcomes: ["LOST", "COMMITTED"] });
});

test("an attempt that was given to another worker stages nothing", async () => {
  const { jobId } = await plan("zombie.slow", csv(8));
  const zombie = act(fixture.activities.runPlugin, { jobId, quick: false });
  const failed = expect(zombie).rejects.toMatchObject({ type: "ATTEMPT_REPLACED" });
  await vi.waitFor(async () => expect((await job(jobId)).attempt).toBe(1), patience);
  expect(await act(fixture.activities.runPlugin, { jobId, quick: false })).toEqual({ outcome: "STAGED", attempt: 2 });
  await failed;
  await act(fixture.activities.commitJob, { jobId, attempt: 2 });
  expect((await mine(jobId)).map(({ rows }) => rows)).toEqual([8]);
  expect((await filesOnDisk()).filter((name) => name.startsWith(`${jobId}-`))).toEqual([]);
});

test("cancelling kills the plugin, and ending the job removes what was staged", async () => {
  const { jobId } = await plan("cancelled.slow", csv(8));
  const environment = new MockActivityEnvironment();
  const running = act(fixture.activities.runPlugin, { jobId, quick: false }, environment);
  const failed = expect(running).rejects.toThrow();
  await vi.waitFor(async () => expect((await filesOnDisk()).some((name) => name.startsWith(`${jobId}-1-`))).toBe(true), patience);
  environment.cancel();
  await failed;
  await act(fixture.activities.endJob, { jobId, state: "CANCELLED", error: { code: "CANCELLED", message: "by an operator" } });
  expect(await job(jobId)).toMatchObject({ state: "CANCELLED", outcomes: ["CANCELLED"] });
  expect((await filesOnDisk()).filter((name) => name.startsWith(`${jobId}-`))).toEqual([]);
});

test("a job of a version that was rejected since ends with the reason, and its plugin does not run", async () => {
  const { db } = fixture.database;
  const pluginId = await fixture.publish("bad", tablePlugin, "*.bad");
  const { jobId } = await plan("rows.bad", csv(3));
  await transaction(db, (tx) => rejectArtifact(tx, pluginId, "it drops page two"));
  await expect(act(fixture.activities.runPlugin, { jobId, quick: true })).rejects.toMatchObject({
    type: "PLUGIN_REJECTED",
    nonRetryable: true,
    message: expect.stringContaining("was rejected: it drops page two"),
  });
  expect(await job(jobId)).toMatchObject({ attempt: 1, outcomes: ["FAILED"] });
  expect(await outputs(jobId)).toEqual([]);
});

test("a ledger that does not balance is not committed", async () => {
  const { jobId } = await plan("unbalanced.csv", csv(5));
  await act(fixture.activities.runPlugin, { jobId, quick: false });
  const { db } = fixture.database;
  await db.query("update cf_job_output set rows_sent = 6 where job_id = $1", [jobId]);
  await expect(act(fixture.activities.commitJob, { jobId, attempt: 1 })).rejects.toMatchObject({
    type: "LEDGER_UNBALANCED",
    nonRetryable: true,
  });
  await expect(db.query("update cf_job_output set state = 'COMMITTED', committed_at = now() where job_id = $1", [jobId])).rejects.toThrow(
    /check constraint/,
  );
  expect(await mine(jobId)).toEqual([]);
});

test("the record refuses a second result for the same version, artifact and output", async () => {
  const { jobId } = await plan("single.csv", csv(5));
  await act(fixture.activities.runPlugin, { jobId, quick: false });
  await act(fixture.activities.commitJob, { jobId, attempt: 1 });
  const { db } = fixture.database;
  await db.query("insert into cf_job_attempt (job_id, attempt, worker) values ($1, 2, 'test')", [jobId]);
  const duplicate = db.query(
    `insert into cf_job_output select job_id, 2, output_name, file_version_id, plugin_id, sink_uri, mode, state, rows_sent, rows_received,
       rows_written, rows_quarantined, rows_read_back, size_bytes, columns, staged, target, committed_at
     from cf_job_output where job_id = $1`,
    [jobId],
  );
  await expect(duplicate).rejects.toThrow(/cf_job_output_one_result/);
});
