import { failuresByPlugin } from "../../db/overview.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "jobs";

/** A version that waits for its plan longer than this while workers run is stuck. Milliseconds. */
const stuckAfterMs = 60_000;

/** Does what waits get done, is a worker idle for a reason, and what failed? */
export async function checkJobs(patient: Patient): Promise<readonly Diagnosis[]> {
  const found = [...checkWaiting(patient), ...(await checkFailures(patient))];
  if (patient.status.jobs.HELD > 0) {
    found.push({
      subject,
      severity: "warning",
      message: `${patient.status.jobs.HELD} jobs are held`,
      hint: "casparian jobs list --state held",
    });
  }
  return found.length > 0 ? found : [{ subject, severity: "ok", message: explainIdle(patient), hint: null }];
}

function checkWaiting({ status, workers }: Patient): readonly Diagnosis[] {
  const { QUEUED: queued, RUNNING: running } = status.jobs;
  const { waiting, oldestAt } = status.outbox;
  const found: Diagnosis[] = [];
  if (queued + running + waiting > 0 && (workers === null || workers === 0)) {
    const message = `${queued} jobs are queued, ${running} were begun and ${waiting} file versions wait for their plan, and no worker runs`;
    found.push({ subject, severity: "error", message, hint: "casparian start" });
  } else if (oldestAt !== null && Date.now() - oldestAt.getTime() > stuckAfterMs) {
    const message = `${waiting} file versions wait for their plan, the oldest since ${oldestAt.toISOString()}, although a worker runs`;
    found.push({
      subject,
      severity: "error",
      message,
      hint: "Look at the worker's log, and at the workflows file-version:… in the Temporal Web UI",
    });
  }
  return found;
}

async function checkFailures({ db }: Patient): Promise<readonly Diagnosis[]> {
  const failures = await failuresByPlugin(db);
  return failures.map(({ plugin, failed, jobId, code, message }) => ({
    subject,
    severity: "warning" as const,
    message: `${failed} failed of ${plugin}; the newest is job ${jobId}: ${code}: ${message}`,
    hint: `casparian jobs show ${jobId}, then casparian jobs retry --failed --plugin ${plugin}`,
  }));
}

/** A worker without work is well; this says why there is none. */
function explainIdle({ status, routing, workers }: Patient): string {
  const total = Object.values(status.jobs).reduce((sum, amount) => sum + amount, 0);
  const who = workers === null || workers === 0 ? "no worker runs" : `${workers === 1 ? "the worker is" : "the workers are"} idle`;
  if (status.jobs.QUEUED + status.jobs.RUNNING > 0) return `${status.jobs.QUEUED} queued, ${status.jobs.RUNNING} running`;
  if (routing.files === 0) return `nothing is queued and ${who}: no file was found yet`;
  if (routing.unmatched === routing.files) return `nothing is queued and ${who}: no rule sends a file to a plugin`;
  if (total === 0) return `nothing is queued and ${who}: no file has come since the rules were made; --backfill takes those on record`;
  return `nothing is queued and ${who}: every file that a rule takes has been processed`;
}
