import { insertAudit } from "../db/audit.ts";
import { listJobs, type JobRow } from "../db/job-history.ts";
import { lockJob, setJobState } from "../db/job.ts";
import { insertOutbox } from "../db/outbox.ts";
import { transaction, type Queryable } from "../db/pool.ts";
import { replayUnderWay } from "../db/replay.ts";
import { activeRules, type ActiveRule } from "../db/routing-rule.ts";
import { jobTransitions } from "../domain/job-state.ts";
import { routeFile } from "../domain/route.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";
import { findJob } from "./show-job.ts";
import { findSource } from "./find-source.ts";

export type RetryRequest =
  | { readonly ids: readonly string[] }
  | { readonly failed: true; readonly plugin?: string | undefined; readonly source?: string | undefined };

/** What became of one job that was to be retried. */
export interface RetriedJob {
  readonly id: string;
  readonly path: string;
  readonly plugin: string;
  /**
   * `queued`: the same job waits again. `replaced`: its artifact is no longer the active one, so the file goes to the plugin's active version as another job.
   * `waiting`: nothing to do, it has not ended. `refused`: it stays as it is.
   */
  readonly outcome: "queued" | "replaced" | "waiting" | "refused";
  /** Why, where it was not queued; without a full stop. */
  readonly reason: string | null;
}

/** Jobs taken at once by `--failed`; the rest is left for the next call, which the result shows. */
const retriedMax = 10_000;

/**
 * Queues ended jobs again, and their versions for dispatch. Running workers take them up within seconds; otherwise the next start does.
 * Throws WrongUse for an unknown job, plugin or source, and then changes nothing.
 */
export async function retryJobs({ db, actor }: ControlContext, request: RetryRequest): Promise<readonly RetriedJob[]> {
  return transaction(db, async (tx) => {
    const rules = await activeRules(tx);
    const retried: RetriedJob[] = [];
    for (const job of await select(tx, request)) retried.push(await retry(tx, actor, job, rules));
    return retried;
  });
}

async function select(tx: Queryable, request: RetryRequest): Promise<readonly JobRow[]> {
  if ("ids" in request) {
    const jobs: JobRow[] = [];
    for (const id of new Set(request.ids)) jobs.push(await findJob(tx, id));
    return jobs;
  }
  if (request.plugin !== undefined) await findPlugin(tx, request.plugin);
  const sourceIds = request.source === undefined ? undefined : [(await findSource(tx, request.source)).id];
  return listJobs(tx, { states: ["FAILED"], plugin: request.plugin, sourceIds, limit: retriedMax });
}

async function retry(tx: Queryable, actor: string, job: JobRow, rules: readonly ActiveRule[]): Promise<RetriedJob> {
  const locked = await lockJob(tx, job.id);
  const state = locked?.state ?? job.state;
  const result = (outcome: RetriedJob["outcome"], reason: string | null): RetriedJob => {
    return { id: job.id, path: job.path, plugin: job.plugin, outcome, reason };
  };
  if (state === "QUEUED" || state === "RUNNING") return result("waiting", `it is ${state}`);
  if (!jobTransitions[state].includes("QUEUED")) {
    const rest = state === "PARTIAL" ? `; casparian quarantine replay ${job.replayOf ?? job.id} is for the rows that were set aside` : "";
    return result("refused", `it is ${state}: its result stands${rest}`);
  }

  const other = job.replayOf === null ? null : await replayUnderWay(tx, job.replayOf);
  if (other !== null) return result("refused", `job ${other} replays the same rows`);
  // A replay runs no plugin, so it doesn't matter which version is active.
  const isSame = job.replayOf !== null || job.pluginState === "ACTIVE";
  const route = isSame ? undefined : routeFile(job.path, job.sourceId, rules).find((match) => match.pluginName === job.plugin);
  const ended = `${job.plugin} ${job.pluginVersion} is ${job.pluginState.toLowerCase()}`;
  if (!isSame && route === undefined) return result("refused", `${ended}, and no rule sends the file to an active version`);
  if (isSame) await setJobState(tx, job.id, "QUEUED");
  await insertOutbox(tx, [job.fileVersionId], isSame ? "RETRY" : "BACKFILL");
  const by = route === undefined ? job.pluginVersion : route.activeVersion;
  const detail = { path: job.path, plugin: job.plugin, version: job.pluginVersion, from: state, by };
  await insertAudit(tx, { actor, action: "job.retry", subject: `job ${job.id}`, detail });
  if (route === undefined) return result("queued", null);
  return result("replaced", `${ended}; the file goes to ${job.plugin} ${route.activeVersion} as a job of its own`);
}
