import { setTimeout } from "node:timers/promises";
import type { Client } from "@temporalio/client";
import { insertAudit } from "../db/audit.ts";
import { endAttempt, lockJob, setJobState } from "../db/job.ts";
import { transaction } from "../db/pool.ts";
import { TerminalFailure } from "../domain/failure.ts";
import type { JobState } from "../domain/job-state.ts";
import { fileVersionWorkflowId, signals } from "../workflows/names.ts";
import type { ControlContext } from "./context.ts";
import { findJob } from "./show-job.ts";

export interface CancelledJob {
  readonly id: string;
  /** The state afterwards; still `RUNNING` where the worker has not answered in time. */
  readonly state: JobState;
  /** `ended`: it had ended before, and stays as it is. `asked`: its workflow will end it. */
  readonly outcome: "cancelled" | "asked" | "ended";
}

/** How long the worker's answer is waited for: a plugin's process group is killed within this. Milliseconds. */
const answerMsMax = 15_000;
const pollMs = 100;

/**
 * Cancels a job. One that waits is cancelled in the record, which every worker asks before it begins; one that runs by its workflow,
 * which kills the plugin's process group first. Throws WrongUse for an unknown job, TerminalFailure NOT_CANCELLED for a running one
 * while Temporal is not running.
 */
export async function cancelJob(context: ControlContext, jobId: string, signal?: AbortSignal): Promise<CancelledJob> {
  const { db, temporal } = context;
  const { fileVersionId } = await findJob(db, jobId);
  const before = await cancelInRecord(context, jobId);
  if (before !== "RUNNING" && before !== "QUEUED" && before !== "HELD") return { id: jobId, state: before, outcome: "ended" };
  const reached = temporal !== null && (await signalWorkflow(temporal, fileVersionId, jobId));
  if (before !== "RUNNING") return { id: jobId, state: "CANCELLED", outcome: "cancelled" };
  if (temporal === null) {
    throw new TerminalFailure({
      code: "NOT_CANCELLED",
      message: `job ${jobId} is RUNNING and Temporal, through which its worker is told, is not running`,
      hint: "Run casparian start, then cancel the job while it is up",
    });
  }
  // Without a workflow nobody drives the job any more: the record alone decides, and whatever still runs can't commit.
  if (!reached) {
    await transaction(db, async (tx) => {
      const { attempt } = (await lockJob(tx, jobId))!;
      await endAttempt(tx, jobId, attempt, { outcome: "CANCELLED", errorCode: cancelled.code, errorMessage: cancelled.message });
      await setJobState(tx, jobId, "CANCELLED", cancelled);
    });
    return { id: jobId, state: "CANCELLED", outcome: "cancelled" };
  }
  const state = await waitForEnd(context, jobId, signal);
  return { id: jobId, state, outcome: state === "RUNNING" ? "asked" : "cancelled" };
}

const cancelled = { code: "CANCELLED", message: "cancelled by an operator" } as const;

/** Returns the state in which the job was. */
async function cancelInRecord({ db, actor, temporal }: ControlContext, jobId: string): Promise<JobState> {
  return transaction(db, async (tx) => {
    const { state } = (await lockJob(tx, jobId))!;
    const waits = state === "QUEUED" || state === "HELD";
    if (waits) await setJobState(tx, jobId, "CANCELLED", cancelled);
    if (waits || (state === "RUNNING" && temporal !== null)) {
      await insertAudit(tx, { actor, action: "job.cancel", subject: `job ${jobId}`, detail: { from: state } });
    }
    return state;
  });
}

/** False where no workflow of this version is running. */
async function signalWorkflow(client: Client, fileVersionId: string, jobId: string): Promise<boolean> {
  // Only here, because loading the client takes longer than most commands.
  const { WorkflowNotFoundError } = await import("@temporalio/client");
  try {
    await client.workflow.getHandle(fileVersionWorkflowId(fileVersionId)).signal(signals.cancelJob, jobId);
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

async function waitForEnd({ db }: ControlContext, jobId: string, signal: AbortSignal | undefined): Promise<JobState> {
  const deadline = Date.now() + answerMsMax;
  for (;;) {
    const { state } = await findJob(db, jobId);
    if (state !== "RUNNING" || Date.now() > deadline) return state;
    await setTimeout(pollMs, undefined, { signal });
  }
}
