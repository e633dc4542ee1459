import { ApplicationFailure } from "@temporalio/common";
import { WorkflowFailedError, type WorkflowHandle } from "@temporalio/client";
import { Context } from "@temporalio/activity";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { PlannedJob } from "../../activities/plan.ts";
import { fileVersionWorkflowId, searchAttributes, signals, taskQueue, workflowTypes } from "../../workflows/names.ts";
import { testTemporal, type TestTemporal } from "../support/temporal.ts";
import { testWorker, type TestWorker } from "../support/worker.ts";
import { patience } from "../support/patience.ts";

let temporal: TestTemporal;
let worker: TestWorker;

/** What the fake activities were asked, and what they answer; reset for each test. */
let calls: string[];
let plans: PlannedJob[][];
let run: (jobId: string) => Promise<{ outcome: string; attempt?: number; againMs?: number }>;

beforeAll(async () => {
  temporal = await testTemporal();
  worker = await testWorker(temporal, () => ({
    async planJobs() {
      calls.push("plan");
      return { jobs: plans.shift() ?? [] };
    },
    async prepareEnvironment({ environmentHash }: { environmentHash: string }) {
      calls.push(`environment ${environmentHash}`);
    },
    async runPlugin({ jobId }: { jobId: string }) {
      calls.push(`run ${jobId}`);
      return run(jobId);
    },
    async commitJob({ jobId, attempt }: { jobId: string; attempt: number }) {
      calls.push(`commit ${jobId}/${attempt}`);
      return { state: "COMPLETED" };
    },
    async endJob({ jobId, state, error }: { jobId: string; state: string; error: { code: string; message: string } }) {
      calls.push(`end ${jobId} ${state} ${error.code}: ${error.message}`);
    },
  }));
});

afterAll(async () => {
  await worker?.close();
  await temporal?.close();
});

beforeEach(() => {
  calls = [];
  plans = [[job("1")]];
  run = async () => ({ outcome: "STAGED", attempt: 1 });
});

function job(jobId: string, more: Partial<PlannedJob> = {}): PlannedJob {
  return { jobId, plugin: `plugin-${jobId}`, environmentHash: "e", environmentReady: true, quick: false, stagedAttempt: null, ...more };
}

let versions = 0;
async function start(): Promise<WorkflowHandle> {
  versions += 1;
  return temporal.client.workflow.start(workflowTypes.processFileVersion, {
    workflowId: fileVersionWorkflowId(String(versions)),
    taskQueue,
    args: [{ fileVersionId: String(versions) }],
  });
}

/** Hangs like a plugin, with heartbeats, until it is cancelled. */
async function hang(): Promise<never> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(), 100);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(beat);
  }
}

test("runs and commits each job, and shows plugins and state", async () => {
  plans = [[job("1"), job("2", { environmentReady: false })]];
  const handle = await start();
  expect(await handle.result()).toEqual({
    jobs: [
      { jobId: "1", plugin: "plugin-1", state: "COMPLETED" },
      { jobId: "2", plugin: "plugin-2", state: "COMPLETED" },
    ],
  });
  expect(calls).toContain("environment e");
  expect(calls).toContain("commit 1/1");
  expect(calls).toContain("commit 2/1");
  const { searchAttributes: found } = await handle.describe();
  expect(found[searchAttributes.plugin]).toEqual(["plugin-1", "plugin-2"]);
  expect(found[searchAttributes.state]).toEqual(["COMPLETED"]);
});

test("a version that no rule takes ends at once", async () => {
  plans = [[]];
  const handle = await start();
  expect(await handle.result()).toEqual({ jobs: [] });
  expect((await handle.describe()).searchAttributes[searchAttributes.state]).toEqual(["UNROUTED"]);
});

test("an attempt that has everything staged is only committed", async () => {
  plans = [[job("1", { stagedAttempt: 3 })]];
  await (await start()).result();
  expect(calls).toEqual(["plan", "commit 1/3"]);
});

test("a superseded job ends without a commit", async () => {
  run = async () => ({ outcome: "SUPERSEDED" });
  expect(await (await start()).result()).toEqual({ jobs: [{ jobId: "1", plugin: "plugin-1", state: "SUPERSEDED" }] });
  expect(calls).toEqual(["plan", "run 1"]);
});

test("a job whose runner is not there is run when it is", async () => {
  let looks = 0;
  run = async () => ((looks += 1) < 3 ? { outcome: "WAITING", againMs: 1 } : { outcome: "STAGED", attempt: 1 });
  expect(await (await start()).result()).toEqual({ jobs: [{ jobId: "1", plugin: "plugin-1", state: "COMPLETED" }] });
  expect(calls).toEqual(["plan", "run 1", "run 1", "run 1", "commit 1/1"]);
});

test("a terminal failure is not tried again, ends the job in the plugin's words, and fails the workflow; the other job commits", async () => {
  plans = [[job("1"), job("2")]];
  run = async (jobId) => {
    if (jobId === "1") throw ApplicationFailure.nonRetryable("column x is gone", "PLUGIN_RAISED", { hint: null });
    return { outcome: "STAGED", attempt: 1 };
  };
  await expect((await start()).result()).rejects.toThrow(WorkflowFailedError);
  expect(calls.filter((call) => call === "run 1")).toHaveLength(1);
  expect(calls).toContain("end 1 FAILED PLUGIN_RAISED: column x is gone");
  expect(calls).toContain("commit 2/1");
});

test("a transient failure is tried again", async () => {
  let attempts = 0;
  run = async () => {
    attempts += 1;
    if (attempts === 1) throw ApplicationFailure.retryable("the database restarts", "SERVICE_UNREACHABLE");
    return { outcome: "STAGED", attempt: attempts };
  };
  await (await start()).result();
  expect(calls).toEqual(["plan", "run 1", "run 1", "commit 1/2"]);
});

test("cancelling one job leaves the other alone", async () => {
  plans = [[job("1"), job("2")]];
  run = async (jobId) => (jobId === "1" ? hang() : { outcome: "STAGED", attempt: 1 });
  const handle = await start();
  await vi.waitFor(() => expect(calls).toContain("commit 2/1"), patience);
  await handle.signal(signals.cancelJob, "1");
  expect(await handle.result()).toMatchObject({
    jobs: expect.arrayContaining([expect.objectContaining({ jobId: "1", state: "CANCELLED" })]),
  });
  expect(calls.filter((call) => call.startsWith("commit"))).toEqual(["commit 2/1"]);
});

test("cancelling the workflow cancels its jobs in the record", async () => {
  run = hang;
  const handle = await start();
  await vi.waitFor(() => expect(calls).toContain("run 1"), patience);
  await handle.cancel();
  await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
  expect(calls.at(-1)).toBe("end 1 CANCELLED CANCELLED: cancelled by an operator");
});

test("a quick plugin runs within the workflow task", async () => {
  plans = [[job("1", { quick: true })]];
  const handle = await start();
  await handle.result();
  expect(calls).toEqual(["plan", "run 1", "commit 1/1"]);
  const events = (await handle.fetchHistory()).events ?? [];
  expect(events.some((event) => event.activityTaskScheduledEventAttributes)).toBe(false);
});

test("a quick run that fails transiently is done again outside of the task, a terminal one is not", async () => {
  plans = [[job("1", { quick: true }), job("2", { quick: true })]];
  run = async (jobId) => {
    if (jobId === "2") throw ApplicationFailure.nonRetryable("always", "PLUGIN_RAISED");
    if (calls.filter((call) => call === "run 1").length === 1) throw ApplicationFailure.retryable("all are taken", "WORKER_BUSY");
    return { outcome: "STAGED", attempt: 2 };
  };
  await expect((await start()).result()).rejects.toThrow(WorkflowFailedError);
  expect(calls.filter((call) => call === "run 1")).toHaveLength(2);
  expect(calls.filter((call) => call === "run 2")).toHaveLength(1);
  expect(calls).toContain("commit 1/2");
  expect(calls).toContain("end 2 FAILED PLUGIN_RAISED: always");
});

test("a replan signal during the run plans again before the end", async () => {
  plans = [[job("1")], [job("2")]];
  run = async (jobId) => {
    if (jobId === "1") await temporal.client.workflow.getHandle(fileVersionWorkflowId(String(versions))).signal(signals.replan);
    return { outcome: "STAGED", attempt: 1 };
  };
  await (await start()).result();
  expect(calls.filter((call) => call === "plan")).toHaveLength(2);
  expect(calls).toContain("commit 2/1");
});
