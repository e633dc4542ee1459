import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import "../support/quiet-temporal.ts";
import { commandOn, type RecordCommand } from "../support/command.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { runPython } from "../support/python.ts";
import { act, replaySteps } from "../support/replay-fixture.ts";

let fixture: JobFixture;
let casparian: RecordCommand;
let steps: ReturnType<typeof replaySteps>;
let jobId: string;
let replayId: string;
beforeAll(async () => {
  fixture = await createJobFixture();
  casparian = commandOn(fixture.folder, fixture.database.url);
  steps = replaySteps(fixture);
  await steps.plugin("trades");
  await steps.contract("trades", [{ name: "id", type: "int64", nullable: false, checks: { max: "9" } }]);
  ({ jobId } = await steps.process("1.trades", "id\n1\n20\n30\nx\n"));
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

// One story: each test goes on where the one before ended.

test("where no row would pass, nothing is queued, and what to do is said", async () => {
  const refused = await casparian("quarantine", "replay", jobId);
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toMatch(/trades: 0 of 3 rows pass contract version 1\n +id: 20 is above 9 \(3 rows\)/);
  expect(refused.stdout).toMatch(/Nothing was queued: no row would pass\n.*casparian contract set/);
  expect((await casparian("quarantine", "replay", jobId, "--wait")).stderr).toContain("casparian start");
  expect(await casparian("quarantine", "replay", "99")).toMatchObject({ exitCode: 2 });
});

test("a dry run tells what would pass; the replay is queued, listed, and shown with the job that it belongs to", async () => {
  await casparian("contract", "set", "trades", "--column", "id", "--max", "25");
  const dry = await casparian("quarantine", "replay", "--dry-run");
  expect(dry.exitCode).toBe(0);
  expect(dry.stdout).toContain("1 of 3 rows would pass; nothing was queued");
  const queued = await casparian("quarantine", "replay", "--plugin", "trades");
  [, replayId] = /queued as job (\d+)/.exec(queued.stdout) as unknown as [string, string];
  expect(queued.stdout).toContain("Queued 1 replay; nothing runs here now");
  expect((await casparian("quarantine", "replay", jobId)).stdout).toContain(`job ${replayId} replays them already`);
  expect((await casparian("jobs", "list")).stdout).toMatch(new RegExp(`${replayId} +QUEUED +trades 1 \\(replay of ${jobId}\\)`));
  const { rows } = await fixture.database.db.query("select subject from cf_audit where action = 'quarantine.replay'");
  expect(rows).toEqual([{ subject: `job ${jobId}` }]);

  const { fileVersionId } = (await casparian.json<{ job: { fileVersionId: string } }>("jobs", "show", jobId)).job;
  expect((await act(fixture.activities.planJobs, { fileVersionId })).jobs).toMatchObject([{ jobId: replayId }]);
  await steps.commit(replayId, await steps.stage(replayId));
  const original = (await casparian("jobs", "show", jobId)).stdout;
  expect(original).toMatch(/SET ASIDE +OPEN.*\n.*COMMITTED +4 +4 +1 +3 +2 +1/);
  expect(original).toContain(`Job ${replayId} has replayed the rows that were set aside: 1 row joined these`);
  expect((await casparian("jobs", "show", replayId)).stdout).toMatch(new RegExp(`replays +rows that job ${jobId} set aside`));
  expect((await casparian("lineage", "--row", `job=${replayId}`)).stdout).toContain(`rows that job ${jobId} set aside`);
  expect((await casparian("jobs", "retry", jobId)).stdout).toContain(`casparian quarantine replay ${jobId}`);
});

test("the quarantine shows which rows were replayed and what is open, and exports it as Parquet", async () => {
  expect((await casparian("quarantine", "list")).stdout).toMatch(/ROWS +OPEN +OF.*\n.* 3 +2 +4 /);
  // A replay stands for its job.
  const shown = await casparian.json<{ rowNumber: number; replayedBy: string | null; refusedBy: string | null }[]>(
    "quarantine",
    "show",
    replayId,
  );
  expect(shown.map(({ rowNumber, replayedBy, refusedBy }) => [rowNumber, replayedBy, refusedBy])).toEqual([
    [2, replayId, null],
    [3, null, replayId],
    [4, null, replayId],
  ]);
  expect((await casparian("quarantine", "show", jobId, "--open")).stdout).not.toContain("20 is above");
  const file = join(fixture.folder, "bad.parquet");
  expect((await casparian("quarantine", "export", file)).stderr).toContain("3 rows");
  const script = `import json, sys, pyarrow.parquet as pq
t = pq.read_table(sys.argv[1])
print(json.dumps([[str(t.schema.field(n).type) for n in ("jobId", "rowNumber", "quarantinedAt", "reasons")], t.select(["rowNumber", "replayedBy", "reasons", "raw"]).to_pylist()]))`;
  const stdout = await runPython(script, [file]);
  const [types, rows] = JSON.parse(stdout) as [string[], { rowNumber: number; replayedBy: number | null; reasons: unknown; raw: string }[]];
  expect(types).toEqual(["int64", "int64", "timestamp[us, tz=UTC]", "list<element: struct<column: string, reason: string>>"]);
  expect(rows.map(({ rowNumber, replayedBy }) => [rowNumber, replayedBy])).toEqual([
    [2, Number(replayId)],
    [3, null],
    [4, null],
  ]);
  expect(rows[1]).toMatchObject({ reasons: [{ column: "id", reason: "30 is above 25" }], raw: '{"id":"30"}' });
  expect((await casparian("quarantine", "export", file)).exitCode).not.toBe(0);
  expect((await casparian("quarantine", "export", "--format", "parquet")).exitCode).toBe(2);
});

test("a replay that failed may be retried, unless another one has taken up its rows", async () => {
  await casparian("contract", "set", "trades", "--column", "id", "--max", "99");
  const [{ replayId: cancelled }] = (await casparian.json<{ jobs: [{ replayId: string }] }>("quarantine", "replay", jobId)).jobs;
  expect((await casparian("jobs", "cancel", cancelled)).stdout).toContain("is cancelled");
  expect(await casparian.json("jobs", "retry", cancelled)).toMatchObject([{ outcome: "queued" }]);
  await casparian("jobs", "cancel", cancelled);
  await casparian("quarantine", "replay", jobId);
  const refused = await casparian("jobs", "retry", cancelled);
  expect(refused).toMatchObject({ exitCode: 1, stdout: expect.stringContaining("replays the same rows") as string });
  const rerun = await casparian("quarantine", "replay", "--rerun", "--dry-run");
  expect(rerun.stdout).toMatch(/not queued: trades 1 is still the active version\n +Next: .*plugin publish/);
});
