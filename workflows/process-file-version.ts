import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  defineSignal,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  upsertSearchAttributes,
  ActivityCancellationType,
} from "@temporalio/workflow";
import type { JobActivities } from "../activities/job.ts";
import type { RunOutcome } from "../activities/run-job.ts";
import type { JobError } from "../domain/job-error.ts";
import type { PlanActivities, PlannedJob } from "../activities/plan.ts";
import { searchAttributes, signals } from "./names.ts";

export interface ProcessFileVersionInput {
  readonly fileVersionId: string;
}

/** How each job of the version ended, by plugin name. */
export interface ProcessFileVersionResult {
  readonly jobs: readonly JobEnd[];
}

interface JobEnd {
  readonly jobId: string;
  readonly plugin: string;
  readonly state: string;
  readonly message?: string;
}

const recordRetry = { initialInterval: "200 ms", backoffCoefficient: 2, maximumInterval: "30 seconds" } as const;

const record = proxyLocalActivities<PlanActivities & Pick<JobActivities, "endJob">>({
  startToCloseTimeout: "1 minute",
  retry: recordRetry,
});

// A table takes some seconds for each million rows; nothing is gained by a second call that waits for the first.
const commit = proxyLocalActivities<Pick<JobActivities, "commitJob">>({ startToCloseTimeout: "2 hours", retry: recordRetry });

const work = proxyActivities<Pick<JobActivities, "prepareEnvironment" | "runPlugin">>({
  // A worker that was killed is noticed after this long without a heartbeat.
  heartbeatTimeout: "10 seconds",
  // A bound for what hangs outside the plugin; the plugin has its own, shorter limit.
  startToCloseTimeout: "25 hours",
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: "1 second", backoffCoefficient: 2, maximumInterval: "1 minute", maximumAttempts: 30 },
});

// Within the workflow task, for plugins that are known to be quick. Whatever goes wrong but a terminal failure is done again outside.
const quickWork = proxyLocalActivities<Pick<JobActivities, "runPlugin">>({
  startToCloseTimeout: "7 seconds",
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { maximumAttempts: 1 },
});

const replanSignal = defineSignal(signals.replan);
const cancelJobSignal = defineSignal<[string]>(signals.cancelJob);

/**
 * Processes one FileVersion: plans its jobs, then for each one builds the environment, runs the plugin and commits what it staged.
 *
 * The record in Postgres decides everything; this workflow only drives it. It may be started twice, terminated or lost with
 * Temporal's database: the next one plans again and goes on from what the record says.
 *
 * Fails when a job failed, so that Temporal's lists show it.
 */
export async function processFileVersion({ fileVersionId }: ProcessFileVersionInput): Promise<ProcessFileVersionResult> {
  const scopes = new Map<string, CancellationScope>();
  const ends = new Map<string, JobEnd>();
  let replan = true;
  setHandler(replanSignal, () => void (replan = true));
  setHandler(cancelJobSignal, (jobId) => scopes.get(jobId)?.cancel());

  while (replan) {
    replan = false;
    // Also when cancelled: the jobs must be on record to be cancelled there.
    const plan = await CancellationScope.nonCancellable(() => record.planJobs({ fileVersionId }));
    // Each update costs the server some milliseconds: quick jobs have ended before anybody could look for them.
    if (plan.jobs.some((job) => !job.quick)) upsertSearchAttributes({ [searchAttributes.plugin]: plan.jobs.map((job) => job.plugin) });
    await Promise.all(
      plan.jobs.map(async (job) => {
        const scope = new CancellationScope();
        scopes.set(job.jobId, scope);
        ends.set(job.jobId, await scope.run(() => processJob(job)).catch((error: unknown) => endBadly(job, error)));
        scopes.delete(job.jobId);
      }),
    );
  }
  return finish([...ends.values()]);
}

async function processJob(job: PlannedJob): Promise<JobEnd> {
  let staged = job.stagedAttempt;
  if (staged === null) {
    if (!job.environmentReady) await work.prepareEnvironment({ environmentHash: job.environmentHash });
    let run = job.quick ? await runQuickly(job) : await work.runPlugin({ jobId: job.jobId, plugin: job.plugin, quick: false });
    while (run.outcome === "WAITING") {
      await sleep(run.againMs);
      run = await work.runPlugin({ jobId: job.jobId, plugin: job.plugin, quick: false });
    }
    if (run.outcome !== "STAGED") return { jobId: job.jobId, plugin: job.plugin, state: run.outcome };
    staged = run.attempt;
  }
  const attempt = staged;
  // Once everything is staged the result becomes visible, also when a cancellation comes now: half a commit would be worse.
  const { state } = await CancellationScope.nonCancellable(() => commit.commitJob({ jobId: job.jobId, attempt }));
  return { jobId: job.jobId, plugin: job.plugin, state };
}

async function runQuickly({ jobId, plugin }: PlannedJob): Promise<RunOutcome> {
  try {
    return await quickWork.runPlugin({ jobId, plugin, quick: true });
  } catch (error) {
    const cause = innermost(error);
    if (isCancellation(error) || (cause instanceof ApplicationFailure && cause.nonRetryable === true)) throw error;
    return work.runPlugin({ jobId, plugin, quick: false });
  }
}

async function endBadly(job: PlannedJob, error: unknown): Promise<JobEnd> {
  const cancelled = isCancellation(error);
  const failure = describe(error);
  const state = cancelled ? "CANCELLED" : "FAILED";
  await CancellationScope.nonCancellable(() => record.endJob({ jobId: job.jobId, state, error: failure }));
  return { jobId: job.jobId, plugin: job.plugin, state, message: failure.message };
}

/** The failure that has the activity's own words. */
function innermost(error: unknown): unknown {
  let cause = error;
  while (cause instanceof ActivityFailure && cause.cause !== undefined) cause = cause.cause;
  return cause;
}

function describe(error: unknown): JobError {
  if (isCancellation(error)) return { code: "CANCELLED", message: "cancelled by an operator" };
  const cause = innermost(error);
  if (cause instanceof ApplicationFailure) {
    const [details] = (cause.details ?? []) as [{ hint?: string | null }?];
    return { code: cause.type ?? "UNEXPECTED", message: cause.message, hint: details?.hint ?? undefined };
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  return { code: "WORKER_LOST", message, hint: "The worker that ran the job stopped answering; retry the job" };
}

function finish(jobs: readonly JobEnd[]): ProcessFileVersionResult {
  const states = [...new Set(jobs.map((job) => job.state))];
  upsertSearchAttributes({
    [searchAttributes.plugin]: jobs.map((job) => job.plugin),
    [searchAttributes.state]: [states.length === 1 ? states[0]! : states.length === 0 ? "UNROUTED" : "MIXED"],
  });
  const failed = jobs.filter((job) => job.state === "FAILED");
  if (failed.length > 0) {
    const list = failed.map((job) => `job ${job.jobId} (${job.plugin}): ${job.message}`).join("; ");
    throw ApplicationFailure.create({ message: list, type: "JOB_FAILED", nonRetryable: true });
  }
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure("cancelled by an operator");
  return { jobs };
}
