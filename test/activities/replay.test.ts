import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stagedOutputs } from "../../db/job-output.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { act, replaySteps, visibleIn } from "../support/replay-fixture.ts";

let fixture: JobFixture;
let steps: ReturnType<typeof replaySteps>;
beforeAll(async () => {
  fixture = await createJobFixture();
  steps = replaySteps(fixture);
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

const visible = (output: string) => visibleIn(join(fixture.output, output));

const id = { name: "id", type: "int64", nullable: false, checks: { min: "1", unique: true } } as const;
const amount = { name: "amount", type: "decimal128(10, 2)", nullable: true } as const;
const mixed = "id,amount\n1,12.50\n2,abc\n0,-1\n4,1.005\n1,2\n6,\n,7\n8,99999999.99\n";

test("rows that pass the changed contract join their job's, once; the others stay with their new reasons, until they pass, too", async () => {
  await steps.plugin("fixed");
  await steps.contract("fixed", [id, amount]);
  const { jobId, state } = await steps.process("a.fixed", mixed);
  expect(state).toBe("PARTIAL");
  const before = await steps.ask(jobId);
  expect(before).toMatchObject({ outcome: "refused", replayId: null, newerVersion: null });
  expect(before.outputs).toMatchObject([{ output: "fixed", rowsOpen: 5, rowsPassing: 0, rowsRefused: 5, contractVersion: 1 }]);

  // Three decimals, and ids from 0 on.
  const wider = { ...amount, type: "decimal128(11, 3)" };
  await steps.contract("fixed", [{ ...id, checks: { min: "0", unique: true } }, wider]);
  const tried = await steps.ask(jobId, false);
  expect(tried).toMatchObject({ outcome: "ready", replayId: null, outputs: [{ rowsPassing: 2, rowsRefused: 3 }] });
  expect(await visible("fixed")).toEqual([`3 of ${jobId}`]);

  const replay = await steps.replay(jobId);
  expect(replay.state).toBe("PARTIAL");
  expect(await steps.ledger(replay.jobId)).toEqual(["COMMITTED 5 5 2 3 2"]);
  expect(await visible("fixed")).toEqual([`2 of ${replay.jobId}`, `3 of ${jobId}`].toSorted());
  expect(await steps.quarantine(jobId)).toEqual([
    [2, null, 'amount: "abc" is not a value of type decimal128(11, 3)'],
    [3, replay.jobId, "id: 0 is below 1"],
    [4, replay.jobId, 'amount: "1.005" has more than 2 decimals'],
    [5, null, 'id: "1" is there a second time'],
    [7, null, "id: is null"],
  ]);

  // The same contract brings back nothing more; without the checks on ids all but one pass.
  expect(await steps.ask(jobId)).toMatchObject({ outcome: "refused" });
  await steps.contract("fixed", [{ name: "id", type: "int64", nullable: true }, wider]);
  const second = await steps.replay(jobId);
  expect(await steps.ledger(second.jobId)).toEqual(["COMMITTED 3 3 2 1 2"]);
  await steps.contract("fixed", [
    { name: "id", type: "int64", nullable: true },
    { ...amount, type: "string" },
  ]);
  const third = await steps.replay(jobId);
  expect(third.state).toBe("COMPLETED");
  expect(await steps.ledger(third.jobId)).toEqual(["COMMITTED 1 1 1 0 1"]);
  expect((await steps.quarantine(jobId)).map(([row, by]) => [row, by])).toEqual([
    [2, third.jobId],
    [3, replay.jobId],
    [4, replay.jobId],
    [5, second.jobId],
    [7, second.jobId],
  ]);
  // The job itself stays as it ended.
  expect(await steps.ledger(jobId)).toEqual(["COMMITTED 8 8 3 5 3"]);
  expect(await steps.ask(jobId)).toMatchObject({ outcome: "refused", outputs: [{ rowsOpen: 0 }] });
});

test("asked for twice at once, and run and committed by two workers at once, a replay has one result", async () => {
  await steps.plugin("twice");
  await steps.contract("twice", [id, amount]);
  const { jobId } = await steps.process("a.twice", mixed);
  await steps.contract("twice", [id, { ...amount, type: "string" }]);
  const asked = await Promise.all([steps.ask(jobId), steps.ask(jobId), steps.ask(jobId)]);
  expect(asked.map(({ outcome }) => outcome).toSorted()).toEqual(["queued", "waiting", "waiting"]);
  expect(new Set(asked.map(({ replayId }) => replayId)).size).toBe(1);
  const [replay] = asked.flatMap(({ replayId }) => replayId ?? []) as [string, ...string[]];
  // One of them is overtaken, and leaves nothing.
  const runs = await Promise.allSettled([steps.stage(replay), steps.stage(replay)]);
  expect(runs.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
  const attempt = await steps.stage(replay);
  expect(await Promise.all([steps.commit(replay, attempt), steps.commit(replay, attempt)])).toEqual([
    { state: "PARTIAL" },
    { state: "PARTIAL" },
  ]);
  expect(await visible("twice")).toEqual([`2 of ${replay}`, `3 of ${jobId}`].toSorted());
  const { rows } = await fixture.database.db.query("select count(*)::int from cf_replayed_row where reasons is null and job_id = $1", [
    replay,
  ]);
  expect(rows).toEqual([{ count: 2 }]);
});

test("a worker that dies between staging, the target's commit and the record's leaves the same single result", async () => {
  const { db } = fixture.database;
  await steps.plugin("dies");
  await steps.contract("dies", [id, amount]);
  const { jobId } = await steps.process("a.dies", mixed);
  await steps.contract("dies", [id, { ...amount, type: "string" }]);
  const replay = await steps.queue(jobId);
  // Staged and lost: what it noted goes with what it staged.
  await steps.stage(replay);
  await db.query("update cf_job_attempt set outcome = 'LOST' where job_id = $1", [replay]);
  const attempt = await steps.stage(replay);
  expect(attempt).toBe(2);
  const noted = async () =>
    (
      await db.query<{ state: string }>("select attempt || ' ' || state as state from cf_replayed_row where job_id = $1", [replay])
    ).rows.map(({ state }) => state);
  expect(await noted()).toEqual(Array(5).fill("2 STAGED"));
  expect((await steps.quarantine(jobId)).map(([, by]) => by)).toEqual(Array(5).fill(null));
  // Visible and not on record: it is recorded, although somebody cancels.
  const [entry] = await stagedOutputs(db, replay, attempt);
  await fixture.sinks.forUri(entry!.uri).commit(entry!);
  await act(fixture.activities.endJob, {
    jobId: replay,
    state: "CANCELLED" as const,
    error: { code: "CANCELLED", message: "by an operator" },
  });
  expect(await noted()).toEqual(Array(5).fill("2 COMMITTED"));
  expect(await steps.commit(replay, attempt)).toEqual({ state: "PARTIAL" });
  expect(await visible("dies")).toEqual([`2 of ${replay}`, `3 of ${jobId}`].toSorted());
  expect(await steps.ledger(replay)).toEqual(["DISCARDED 5 5 2 3 2", "COMMITTED 5 5 2 3 2"]);
});

test("a replay that is cancelled before its commit leaves all rows where they were, and may be retried or asked for again", async () => {
  await steps.plugin("stops");
  await steps.contract("stops", [id, amount]);
  const { jobId } = await steps.process("a.stops", mixed);
  await steps.contract("stops", [id, { ...amount, type: "string" }]);
  const replay = await steps.queue(jobId);
  await steps.stage(replay);
  await act(fixture.activities.endJob, {
    jobId: replay,
    state: "CANCELLED" as const,
    error: { code: "CANCELLED", message: "by an operator" },
  });
  expect(await visible("stops")).toEqual([`3 of ${jobId}`]);
  expect((await steps.quarantine(jobId)).map(([, by]) => by)).toEqual(Array(5).fill(null));
  const other = await steps.replay(jobId);
  expect(other.jobId).not.toBe(replay);
  expect(await visible("stops")).toEqual([`2 of ${other.jobId}`, `3 of ${jobId}`].toSorted());
  // The record itself refuses a second passing of a row.
  const again =
    "insert into cf_replayed_row select $1, 1, row_id, null, 'COMMITTED' from cf_replayed_row where job_id = $2 and reasons is null";
  await expect(fixture.database.db.query(again, [replay, other.jobId])).rejects.toThrow("cf_replayed_row_once");
});
