import { CancelledFailure, Context } from "@temporalio/activity";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { cancelJob } from "../../control/cancel-job.ts";
import type { ControlContext } from "../../control/context.ts";
import { retryJobs } from "../../control/retry-jobs.ts";
import { rejectArtifact } from "../../db/plugin.ts";
import { insertRule } from "../../db/routing-rule.ts";
import { beginAttempt, setJobState } from "../../db/job.ts";
import type { Source } from "../../db/source-root.ts";
import { fileVersionWorkflowId, taskQueue, workflowTypes } from "../../workflows/names.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";
import { testTemporal, type TestTemporal } from "../support/temporal.ts";
import { testWorker } from "../support/worker.ts";
import { patience } from "../support/patience.ts";

const { db, close } = await testDatabase();
const record = fillRecord(db);
const offline: ControlContext = { db, actor: "ann@desk", temporal: null };
let source: Source;
let pluginId: string;
let fileNumber = 0;

beforeAll(async () => {
  source = await record.source("inbox");
  pluginId = await record.plugin("clean", "1");
});
afterAll(close);
beforeEach(() => db.query("delete from cf_outbox"));

async function newJob(): Promise<{ readonly id: string; readonly versionId: string }> {
  const versionId = await record.version(source, `file-${++fileNumber}.csv`, String(fileNumber));
  return { id: await record.job(versionId, pluginId, "clean"), versionId };
}

async function stateOf(jobId: string): Promise<string> {
  const { rows } = await db.query<{ state: string }>("select state from cf_processing_job where id = $1", [jobId]);
  return rows[0]!.state;
}

async function outbox(): Promise<readonly unknown[]> {
  return (await db.query("select file_version_id as id, reason from cf_outbox order by file_version_id")).rows;
}

test("ended jobs without a result are queued again; the others are left, with the reason", async () => {
  const [failed, completed, waiting] = [await newJob(), await newJob(), await newJob()];
  await record.fail(failed.id, "bad");
  await record.complete(completed.id, 1, "/out/a.parquet");
  const retried = await retryJobs(offline, { ids: [failed.id, completed.id, waiting.id] });
  expect(retried.map(({ id, outcome, reason }) => [id, outcome, reason])).toEqual([
    [failed.id, "queued", null],
    [completed.id, "refused", "it is COMPLETED: its result stands"],
    [waiting.id, "waiting", "it is QUEUED"],
  ]);
  expect(await outbox()).toEqual([{ id: failed.versionId, reason: "RETRY" }]);
  await expect(retryJobs(offline, { ids: ["12345"] })).rejects.toThrow("there is no job 12345");
});

test("where a newer version of the plugin is active, the file goes to that one", async () => {
  const first = await record.plugin("mended", "1");
  const versionId = await record.version(source, "orders.dat", "x");
  const jobId = await record.job(versionId, first, "mended");
  await record.fail(jobId, "bad");
  await record.plugin("mended", "2", { code: "class Handler: pass  # mended" });

  const [refused] = await retryJobs(offline, { failed: true, plugin: "mended" });
  expect(refused).toMatchObject({ outcome: "refused", reason: "mended 1 is retired, and no rule sends the file to an active version" });
  await insertRule(db, { pattern: "*.dat", pluginName: "mended", sourceId: null, priority: 0, tag: null });
  const [replaced] = await retryJobs(offline, { failed: true, plugin: "mended" });
  expect(replaced).toMatchObject({ outcome: "replaced", reason: "mended 1 is retired; the file goes to mended 2 as a job of its own" });
  expect(await stateOf(jobId)).toBe("FAILED");
  expect(await outbox()).toEqual([{ id: versionId, reason: "BACKFILL" }]);
  await rejectArtifact(db, first, "wrong");
  const [rejected] = await retryJobs(offline, { ids: [jobId] });
  expect(rejected).toMatchObject({ outcome: "replaced", reason: "mended 1 is rejected; the file goes to mended 2 as a job of its own" });
});

test("a waiting job is cancelled in the record, once", async () => {
  const { id } = await newJob();
  expect(await cancelJob(offline, id)).toEqual({ id, state: "CANCELLED", outcome: "cancelled" });
  expect(await cancelJob(offline, id)).toEqual({ id, state: "CANCELLED", outcome: "ended" });
  await expect(cancelJob(offline, "nothing")).rejects.toThrow("there is no job nothing");
});

test("a running job is refused while Temporal does not run", async () => {
  const { id } = await newJob();
  await beginAttempt(db, id, "test:1");
  await expect(cancelJob(offline, id)).rejects.toMatchObject({ code: "NOT_CANCELLED" });
  expect(await stateOf(id)).toBe("RUNNING");
});

test("a running job that nobody drives any more is cancelled in the record", async () => {
  const temporal = await testTemporal();
  try {
    const { id } = await newJob();
    await beginAttempt(db, id, "test:1");
    expect(await cancelJob({ ...offline, temporal: temporal.client }, id)).toMatchObject({ state: "CANCELLED", outcome: "cancelled" });
    const { rows } = await db.query("select outcome, finished_at is not null as ended from cf_job_attempt where job_id = $1", [id]);
    expect(rows).toEqual([{ outcome: "CANCELLED", ended: true }]);
  } finally {
    await temporal.close();
  }
});

test("a running job is cancelled by its workflow, which stops the plugin first", async () => {
  const { id, versionId } = await newJob();
  const stopped: string[] = [];
  await withWorker(stopped, async (temporal) => {
    await temporal.client.workflow.start(workflowTypes.processFileVersion, {
      workflowId: fileVersionWorkflowId(versionId),
      taskQueue,
      args: [{ fileVersionId: versionId }],
    });
    await vi.waitFor(async () => expect(await stateOf(id)).toBe("RUNNING"), patience);
    expect(await cancelJob({ ...offline, temporal: temporal.client }, id)).toEqual({ id, state: "CANCELLED", outcome: "cancelled" });
    expect(stopped).toEqual([id]);
  });

  /** The workflows as they are, with activities that do no more than the record sees of the real ones. */
  async function withWorker(ended: string[], work: (temporal: TestTemporal) => Promise<void>): Promise<void> {
    const temporal = await testTemporal();
    const worker = await testWorker(temporal, () => ({
      planJobs: async () => ({
        jobs: [{ jobId: id, plugin: "clean", environmentHash: "e", environmentReady: true, stagedAttempt: null }],
      }),
      async runPlugin({ jobId }: { readonly jobId: string }): Promise<void> {
        await beginAttempt(db, jobId, "test:1");
        const heartbeat = setInterval(() => Context.current().heartbeat(), 100);
        try {
          await Context.current().cancelled;
        } catch (error) {
          if (error instanceof CancelledFailure) ended.push(jobId);
          throw error;
        } finally {
          clearInterval(heartbeat);
        }
      },
      async endJob({
        jobId,
        state,
        error,
      }: {
        jobId: string;
        state: "CANCELLED";
        error: { code: string; message: string };
      }): Promise<void> {
        await setJobState(db, jobId, state, error);
      },
    }));
    try {
      await work(temporal);
    } finally {
      await worker.close();
      await temporal.close();
    }
  }
});
