import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stagedOutputs } from "../../db/job-output.ts";
import { upsertTopic } from "../../db/topic.ts";
import type { SinkMode } from "../../domain/topic.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { readResults } from "../support/parquet.ts";
import { csv, tablePlugin } from "../support/samples.ts";

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await createJobFixture();
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);

/** A plugin for files of its own, whose output goes to a folder of its own in this mode. */
async function pluginFor(mode: SinkMode): Promise<string> {
  const name = `to_${mode}`;
  await fixture.publish(name, `# ${name}\n${tablePlugin}`, `*.${mode}`);
  await upsertTopic(fixture.database.db, name, name, { uri: `parquet://output/${mode}`, mode });
  return name;
}

async function plan(name: string, rows: number): Promise<string> {
  const fileVersionId = await fixture.record(name, csv(rows));
  return (await act(fixture.activities.planJobs, { fileVersionId })).jobs[0]!.jobId;
}

/** Runs the plugin while the file is the version's. */
async function stage(name: string, rows: number): Promise<string> {
  const jobId = await plan(name, rows);
  expect(await act(fixture.activities.runPlugin, { jobId, quick: false })).toMatchObject({ outcome: "STAGED" });
  return jobId;
}

const commit = (jobId: string) => act(fixture.activities.commitJob, { jobId, attempt: 1 });
const rowsIn = async (mode: SinkMode) =>
  (await readResults(join(fixture.output, mode))).map(({ rows, jobIds }) => ({ rows, job: jobIds[0] }));

async function ledger(jobIds: readonly string[]) {
  const { rows } = await fixture.database.db.query<{ state: string; replaced_by: string | null }>(
    `select o.state, o.replaced_by from unnest($1::bigint[]) with ordinality as j (id, place)
     join cf_job_output o on o.job_id = j.id order by place`,
    [jobIds],
  );
  return rows.map(({ state, replaced_by }) => [state, replaced_by]);
}

test("with replace, a changed file takes back its earlier rows, whichever of its jobs ends first", async () => {
  await pluginFor("replace");
  const [first, second, third] = [await stage("a.replace", 5), await stage("a.replace", 6), await stage("a.replace", 7)];
  const other = await stage("b.replace", 1);
  for (const jobId of [first, third, second, other]) expect(await commit(jobId)).toEqual({ state: "COMPLETED" });
  expect((await rowsIn("replace")).toSorted((a, b) => b.rows - a.rows)).toEqual([
    { rows: 7, job: third },
    { rows: 1, job: other },
  ]);
  expect(await ledger([first, second, third, other])).toEqual([
    ["COMMITTED", third],
    ["COMMITTED", third],
    ["COMMITTED", null],
    ["COMMITTED", null],
  ]);
});

test("with overwrite, the target holds the last job's rows only", async () => {
  await pluginFor("overwrite");
  const [first, second] = [await stage("a.overwrite", 5), await stage("b.overwrite", 6)];
  await commit(first);
  await commit(second);
  expect(await rowsIn("overwrite")).toEqual([{ rows: 6, job: second }]);
  expect(await ledger([first, second])).toEqual([
    ["COMMITTED", second],
    ["COMMITTED", null],
  ]);
});

test("with error, a second result of a file is refused, before its plugin has run or, where both ran at once, before the commit", async () => {
  await pluginFor("error");
  const [first, late] = [await stage("a.error", 5), await stage("a.error", 6)];
  await commit(first);
  const refused = { type: "RESULT_EXISTS", nonRetryable: true, message: expect.stringContaining(`job ${first}`) as string };
  await expect(commit(late)).rejects.toMatchObject(refused);
  const third = await plan("a.error", 7);
  await expect(act(fixture.activities.runPlugin, { jobId: third, quick: false })).rejects.toMatchObject(refused);
  await commit(await stage("b.error", 1));
  expect((await rowsIn("error")).map(({ rows }) => rows).toSorted()).toEqual([1, 5]);
});

test("a result that became visible before its worker died is recorded, not taken away, and nothing takes its place before that", async () => {
  const { db } = fixture.database;
  const [died, next] = [await stage("c.replace", 5), await stage("c.replace", 6)];
  const [entry] = await stagedOutputs(db, died, 1);
  await fixture.sinks.forUri(entry!.uri).commit(entry!);
  await expect(commit(next)).rejects.toMatchObject({ type: "RESULT_PENDING", nonRetryable: false });
  const error = { code: "CANCELLED", message: "cancelled by an operator" };
  await act(fixture.activities.endJob, { jobId: died, state: "CANCELLED" as const, error });
  const { rows } = await db.query("select state from cf_processing_job where id = $1", [died]);
  expect(rows).toEqual([{ state: "COMPLETED" }]);
  await commit(next);
  expect((await rowsIn("replace")).map(({ job }) => job)).toContain(next);
  expect(await ledger([died])).toEqual([["COMMITTED", next]]);
});

test("a file that nobody of ours wrote keeps an overwriting result from the folder", async () => {
  writeFileSync(join(fixture.output, "overwrite", "theirs.parquet"), "not ours");
  const jobId = await stage("c.overwrite", 2);
  await expect(commit(jobId)).rejects.toMatchObject({
    type: "SINK_TARGET_TAKEN",
    message: expect.stringContaining("theirs.parquet") as string,
  });
});
