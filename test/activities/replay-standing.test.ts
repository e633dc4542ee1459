import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rerunQuarantine } from "../../control/rerun-quarantine.ts";
import { waitForJobs } from "../../control/wait-for-jobs.ts";
import { stagedOutputs } from "../../db/job-output.ts";
import { insertOutbox } from "../../db/outbox.ts";
import { upsertTopic } from "../../db/topic.ts";
import { emptyDatabase, type TestDatabase } from "../support/database.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { act, replaySteps, visibleIn } from "../support/replay-fixture.ts";
import { mendedPlugin, textPlugin } from "../support/samples.ts";

let fixture: JobFixture;
let lake: TestDatabase;
let steps: ReturnType<typeof replaySteps>;
beforeAll(async () => {
  fixture = await createJobFixture();
  steps = replaySteps(fixture);
  lake = await emptyDatabase();
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
  await lake?.close();
});

const visible = (output: string) => visibleIn(join(fixture.output, output));

const strict = [{ name: "n", type: "int64", nullable: true, checks: { max: "9" } }] as const;
const loose = [{ name: "n", type: "int64", nullable: true }] as const;
const numbers = (...values: readonly number[]): string => `n\n${values.join("\n")}\n`;

async function replayed(name: string, ...values: readonly number[]): Promise<readonly [string, string]> {
  const plugin = name.slice(name.lastIndexOf(".") + 1);
  await steps.contract(plugin, strict);
  const { jobId } = await steps.process(name, numbers(...values));
  await steps.contract(plugin, loose);
  return [jobId, (await steps.replay(jobId)).jobId];
}

async function standing(...jobIds: readonly string[]) {
  const { rows } = await fixture.database.db.query<{ by: string | null }>(
    `select o.replaced_by as by from unnest($1::bigint[]) with ordinality as j (id, place)
     join cf_job_output o on o.job_id = j.id and o.state = 'COMMITTED' order by place`,
    [jobIds],
  );
  return rows.map(({ by }) => by);
}

test("with replace, a newer version takes the place of the result and of what joined it; then nothing can be replayed any more", async () => {
  await steps.plugin("rep", { uri: "parquet://output/rep", mode: "replace" });
  const [first, replay] = await replayed("a.rep", 1, 20, 30);
  expect(await visible("rep")).toEqual([`1 of ${first}`, `2 of ${replay}`]);
  await steps.contract("rep", strict);
  const { jobId: next } = await steps.process("a.rep", numbers(1, 2, 3, 40));
  expect(await visible("rep")).toEqual([`3 of ${next}`]);
  expect(await standing(first, replay, next)).toEqual([next, next, null]);

  // One that was staged before a newer version came can join nothing, and one that is asked for afterwards neither.
  await steps.contract("rep", loose);
  const late = await steps.queue(next);
  const attempt = await steps.stage(late);
  const { jobId: newest } = await steps.process("a.rep", numbers(5));
  await expect(steps.commit(late, attempt)).rejects.toMatchObject({
    type: "REPLAY_OUTDATED",
    nonRetryable: true,
    message: expect.stringContaining(`job ${newest}`) as string,
  });
  const error = { code: "REPLAY_OUTDATED", message: "replaced" };
  await act(fixture.activities.endJob, { jobId: late, state: "FAILED" as const, error });
  expect(await visible("rep")).toEqual([`1 of ${newest}`]);
  expect(await steps.ask(next)).toMatchObject({
    outcome: "refused",
    outputs: [{ refusal: expect.stringContaining(`replaced by that of job ${newest}`) as string }],
  });
});

test("a job by a newer artifact takes the place of both, although the replay was asked for after it", async () => {
  const { db } = fixture.database;
  await steps.plugin("ord", { uri: "parquet://output/ord", mode: "replace" });
  await steps.contract("ord", strict);
  const { jobId, fileVersionId } = await steps.process("a.ord", numbers(1, 20));
  await steps.contract("ord", loose);
  await fixture.publish("ord", `# newer\n${textPlugin}`, "*.ord");
  await insertOutbox(db, [fileVersionId], "BACKFILL");
  const [newer] = (await act(fixture.activities.planJobs, { fileVersionId })).jobs;
  const attempt = await steps.stage(newer!.jobId);
  const { jobId: replay } = await steps.replay(jobId);
  expect(await visible("ord")).toEqual([`1 of ${jobId}`, `1 of ${replay}`].toSorted());
  await steps.commit(newer!.jobId, attempt);
  expect(await visible("ord")).toEqual([`2 of ${newer!.jobId}`]);
  expect(await standing(jobId, replay)).toEqual([newer!.jobId, newer!.jobId]);
});

test("a replay that is visible and not yet on record is recorded before anything takes its place", async () => {
  await steps.plugin("pend", { uri: "parquet://output/pend", mode: "replace" });
  await steps.contract("pend", strict);
  const { jobId } = await steps.process("a.pend", numbers(1, 40));
  await steps.contract("pend", loose);
  const pending = await steps.queue(jobId);
  const attempt = await steps.stage(pending);
  const [entry] = await stagedOutputs(fixture.database.db, pending, attempt);
  await fixture.sinks.forUri(entry!.uri).commit(entry!);
  await expect(steps.process("a.pend", numbers(7, 8, 9))).rejects.toMatchObject({ type: "RESULT_PENDING", nonRetryable: false });
  expect(await steps.commit(pending, attempt)).toEqual({ state: "COMPLETED" });
  expect(await visible("pend")).toEqual([`1 of ${jobId}`, `1 of ${pending}`].toSorted());
});

test("with overwrite and error a replay joins its own job's result, and counts with it for those that come later", async () => {
  await steps.plugin("ovr", { uri: "parquet://output/ovr", mode: "overwrite" });
  const [first, replay] = await replayed("a.ovr", 1, 20);
  expect(await visible("ovr")).toEqual([`1 of ${first}`, `1 of ${replay}`].toSorted());
  const { jobId: other } = await steps.process("b.ovr", numbers(1, 2));
  expect(await visible("ovr")).toEqual([`2 of ${other}`]);
  expect(await standing(first, replay)).toEqual([other, other]);

  await steps.plugin("err", { uri: "parquet://output/err", mode: "error" });
  const [only, joined] = await replayed("a.err", 1, 20);
  expect(await visible("err")).toEqual([`1 of ${only}`, `1 of ${joined}`].toSorted());
  await expect(steps.process("a.err", numbers(3))).rejects.toMatchObject({
    type: "RESULT_EXISTS",
    message: expect.stringContaining(`job ${only},`) as string,
  });
});

test("in a table of Postgres the rows of a replay are beside the others, and go with them in one transaction", async () => {
  const address = new URL(lake.url);
  process.env["PGPASSWORD"] = decodeURIComponent(address.password);
  address.password = "";
  address.searchParams.set("table", "public.pgs");
  await steps.plugin("pgs", { uri: address.href, mode: "replace" });
  const reader = new Client({ connectionString: lake.url });
  await reader.connect();
  try {
    const rows = async () =>
      (await reader.query<{ n: string; job: string }>("select n, _cf_job_id as job from pgs order by n")).rows.map(
        ({ n, job }) => `${n} ${job}`,
      );
    const [first, replay] = await replayed("a.pgs", 1, 20, 30);
    expect(await rows()).toEqual([`1 ${first}`, `20 ${replay}`, `30 ${replay}`]);
    expect(await steps.ledger(replay)).toEqual(["COMMITTED 2 2 2 0 2"]);
    const { jobId: next } = await steps.process("a.pgs", numbers(5));
    expect(await rows()).toEqual([`5 ${next}`]);
    const { rows: markers } = await reader.query("select job_id from _casparian.result");
    expect(markers).toEqual([{ job_id: next }]);
  } finally {
    await reader.end();
  }
});

test("a mended plugin processes exactly the files with rows in quarantine again, and only where its results take the place of the earlier ones", async () => {
  const { context } = steps;
  await steps.plugin("mend");
  await steps.contract("mend", strict);
  const { jobId } = await steps.process("bad.mend", numbers(1, 20));
  await steps.process("good.mend", numbers(1));
  const rerun = (insert: boolean) => rerunQuarantine(context, { plugin: "mend" }, { insert });
  expect(await rerun(true)).toMatchObject([
    { jobId, outcome: "refused", reason: expect.stringContaining("still the active version") as string },
  ]);

  await fixture.publish("mend", `# mended\n${mendedPlugin}`, "*.mend");
  expect(await steps.ask(jobId, false)).toMatchObject({ outcome: "refused", newerVersion: expect.any(String) as string });
  expect(await rerun(true)).toMatchObject([
    {
      outcome: "refused",
      reason: expect.stringContaining("would stand beside") as string,
      hint: expect.stringContaining("--mode replace") as string,
    },
  ]);
  await upsertTopic(fixture.database.db, "mend", "mend", { uri: "parquet://output/mend", mode: "replace" });
  expect(await rerun(false)).toMatchObject([{ outcome: "ready" }]);
  const [queued] = await rerun(true);
  expect(queued).toMatchObject({ jobId, outcome: "queued" });
  expect(await rerun(true)).toMatchObject([{ outcome: "waiting" }]);
  const { jobs } = await act(fixture.activities.planJobs, { fileVersionId: queued!.fileVersionId });
  const anew = jobs[0]!.jobId;
  expect(await steps.commit(anew, await steps.stage(anew))).toEqual({ state: "COMPLETED" });
  expect(await standing(jobId, anew)).toEqual([anew, null]);
  expect((await visible("mend")).map((each) => each[0])).toEqual(["1", "2"]);
  expect(await rerun(true)).toEqual([]);
});

test("a file of which two versions of a plugin have set rows aside is processed anew once, and that one job is what is waited for", async () => {
  const { db } = fixture.database;
  await steps.plugin("twice");
  await steps.contract("twice", strict);
  const { jobId: first, fileVersionId } = await steps.process("bad.twice", numbers(1, 20));
  const processAnew = async (code: string) => {
    await fixture.publish("twice", `# ${code}\n${textPlugin}`, "*.twice");
    await insertOutbox(db, [fileVersionId], "BACKFILL");
    const { jobs } = await act(fixture.activities.planJobs, { fileVersionId });
    const { jobId } = jobs[0]!;
    return { jobId, ...(await steps.commit(jobId, await steps.stage(jobId))) };
  };
  const { jobId: second, state } = await processAnew("newer");
  expect(state).toBe("PARTIAL");

  await upsertTopic(db, "twice", "twice", { uri: "parquet://output/twice", mode: "replace" });
  await fixture.publish("twice", `# mended\n${mendedPlugin}`, "*.twice");
  const queued = await rerunQuarantine(steps.context, { plugin: "twice" }, { insert: true });
  expect(queued).toMatchObject([
    { jobId: first, outcome: "queued", fileVersionId },
    { jobId: second, outcome: "waiting", fileVersionId },
  ]);
  const { jobs } = await act(fixture.activities.planJobs, { fileVersionId });
  const anew = jobs[0]!.jobId;
  await steps.commit(anew, await steps.stage(anew));
  const ended = await waitForJobs(
    steps.context,
    { fileVersionIds: queued.map((each) => each.fileVersionId), pluginId: queued[0]!.newerPluginId! },
    { signal: AbortSignal.timeout(10_000), onProgress: () => {} },
  );
  expect(ended).toMatchObject([{ id: anew, state: "COMPLETED" }]);
});
