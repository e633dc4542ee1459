import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ensureKeyPair, keyFile } from "../../bridge/runner/keys.ts";
import { listenForRunners, type Runners } from "../../bridge/runner/listener.ts";
import { serveWorker } from "../../bridge/runner/serve.ts";
import { setPluginRunner } from "../../db/plugin-runner.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { readResults } from "../support/parquet.ts";
import { patience } from "../support/patience.ts";
import { quietLog } from "../support/quiet-log.ts";
import { csv, slowPlugin } from "../support/samples.ts";
import { testTools } from "../support/tools.ts";

/** Workers without runners, and with them, on records of their own. */
let alone: JobFixture;
let fixture: JobFixture;
let runners: Runners;
const trusted = new Map<string, string>();
const folder = await mkdtemp(join(tmpdir(), "casparian-runner-"));

beforeAll(async () => {
  const keys = await ensureKeyPair(keyFile(join(folder, "worker")));
  runners = await listenForRunners({ listen: "tcp://127.0.0.1:*", keys, trusted: () => trusted, log: quietLog });
  [alone, fixture] = await Promise.all([createJobFixture(), createJobFixture({ runners })]);
});
afterAll(async () => {
  await runners?.close();
  await Promise.all([alone, fixture].map((each) => each?.[Symbol.asyncDispose]()));
  await rm(folder, { recursive: true, force: true });
});

function act<A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> {
  return new MockActivityEnvironment().run(activity, input);
}

async function planBound(where: JobFixture) {
  await where.publish("far", slowPlugin(1), "*.csv");
  await setPluginRunner(where.database.db, "far", "gpu");
  const fileVersionId = await where.record("a.csv", csv(4));
  const { jobs } = await act(where.activities.planJobs, { fileVersionId });
  expect(jobs).toMatchObject([{ quick: false, environmentReady: true }]);
  return jobs[0]!.jobId;
}

async function attempts({ database: { db } }: JobFixture, jobId: string) {
  const { rows } = await db.query<{ state: string; outcomes: string[] }>(
    `select state, array(select coalesce(outcome, 'UNDER WAY') from cf_job_attempt where job_id = j.id order by attempt) as outcomes
     from cf_processing_job j where id = $1`,
    [jobId],
  );
  return rows[0];
}

test("a plugin that is bound to a runner waits for it, and nothing of its job is begun", async () => {
  const jobId = await planBound(alone);
  expect(await act(alone.activities.runPlugin, { jobId, quick: false })).toEqual({ outcome: "WAITING", againMs: 30_000 });
  expect(await attempts(alone, jobId)).toEqual({ state: "QUEUED", outcomes: [] });
});

test("a runner that is cut off midway costs an attempt; the next one commits the rows once", async () => {
  const jobId = await planBound(fixture);
  const run = () => act(fixture.activities.runPlugin, { jobId, quick: false });
  // Waits in the activity, and begins when one comes.
  const first = run();
  const failed = expect(first).rejects.toMatchObject({ type: "RUNNER_LOST", nonRetryable: false });
  const cut = await connectRunner("one");
  await vi.waitFor(async () => expect(await attempts(fixture, jobId)).toMatchObject({ outcomes: ["UNDER WAY"] }), patience);
  await cut();
  await failed;
  const stop = await connectRunner("two");
  expect(await run()).toEqual({ outcome: "STAGED", attempt: 2 });
  await act(fixture.activities.commitJob, { jobId, attempt: 2 });
  expect(await attempts(fixture, jobId)).toEqual({ state: "COMPLETED", outcomes: ["LOST", "COMMITTED"] });
  expect((await readResults(fixture.output)).map(({ rows }) => rows)).toEqual([4]);
  await stop();
});

/** One in this process, over a real connection, with the fixture's pool. Returns what cuts it off. */
async function connectRunner(name: string): Promise<() => Promise<void>> {
  const keys = await ensureKeyPair(keyFile(join(folder, name)));
  trusted.set(keys.publicKey, "gpu");
  const worker = await ensureKeyPair(keyFile(join(folder, "worker")));
  const stopping = new AbortController();
  const serving = serveWorker(
    {
      connect: runners.address,
      workerKey: worker.publicKey,
      keys,
      slots: 1,
      log: quietLog,
      pool: fixture.pool,
      folder: join(folder, name),
      pythonOf: async () => testTools().environmentPython,
    },
    stopping.signal,
  );
  return async () => {
    stopping.abort();
    await serving;
  };
}
