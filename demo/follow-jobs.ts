import { setTimeout } from "node:timers/promises";
import type { ControlContext } from "../control/context.ts";
import { listJobs, type JobRow } from "../control/list-jobs.ts";
import { TerminalFailure } from "../domain/failure.ts";
import { endedJobStates } from "../domain/job-state.ts";

/** The first environment is downloaded, which takes as long as the network does. */
const waitMsMax = 10 * 60_000;
const pollMs = 200;

/** Shows jobs as they go on, until so many have ended. Throws TerminalFailure when that takes too long, and the signal's reason. */
export async function followJobs(
  context: ControlContext,
  options: {
    readonly ended: number;
    readonly say: (line: string) => void;
    readonly onProgress: (text: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const deadline = Date.now() + waitMsMax;
  let last = "";
  const shown = endedBefore.get(context) ?? new Set<string>();
  endedBefore.set(context, shown);
  while (shown.size < options.ended) {
    options.signal.throwIfAborted();
    if (Date.now() > deadline) throw tooLong(options.ended - shown.size);
    const { jobs } = await listJobs(context, { limit: 100 });
    const now = describeAll(jobs);
    if (now !== last) options.onProgress(now);
    last = now;
    for (const job of jobs.toReversed()) {
      if (shown.has(job.id) || !endedJobStates.some((state) => state === job.state)) continue;
      shown.add(job.id);
      options.say(describe(job));
    }
    await setTimeout(pollMs, undefined, { signal: options.signal });
  }
}

const endedBefore = new WeakMap<ControlContext, Set<string>>();

function describeAll(jobs: readonly JobRow[]): string {
  const count = (state: string): number => jobs.filter((job) => job.state === state).length;
  return `   ${jobs.length} jobs: ${count("QUEUED")} queued, ${count("RUNNING")} running, ${count("COMPLETED")} completed`;
}

function describe(job: JobRow): string {
  const seconds = job.startedAt === null || job.finishedAt === null ? 0 : (job.finishedAt.getTime() - job.startedAt.getTime()) / 1000;
  const result = job.errorMessage ?? `${job.rowsCommitted.toLocaleString("en")} rows in ${seconds.toFixed(1)} s`;
  return `   job ${job.id}  ${job.path} (version ${job.sequence}) → ${job.plugin}@${job.pluginVersion}  ${job.state}  ${result}`;
}

function tooLong(missing: number): TerminalFailure {
  return new TerminalFailure({
    code: "DEMO_STUCK",
    message: `${missing} more jobs were to end and did not`,
    hint: "Look at casparian --home casparian-demo doctor",
  });
}
