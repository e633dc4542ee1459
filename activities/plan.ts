import { hasEnvironment } from "../bridge/environments.ts";
import { loadFileVersion } from "../db/file-version.ts";
import { insertJobs, jobsToRun, type JobToRun } from "../db/job.ts";
import { takeOutboxRow } from "../db/outbox.ts";
import { loadEnvironment } from "../db/plugin.ts";
import { transaction, type Database } from "../db/pool.ts";
import { activeRules } from "../db/routing-rule.ts";
import { TerminalFailure } from "../domain/failure.ts";
import { routeFile } from "../domain/route.ts";
import { withTemporalFailures } from "./failure.ts";
import { remember } from "./remember.ts";
import type { Pace } from "./pace.ts";

/** What a workflow needs to know of a job: ids and short names only. */
export interface PlannedJob {
  readonly jobId: string;
  readonly plugin: string;
  readonly environmentHash: string;
  /** True where this host has the environment built. */
  readonly environmentReady: boolean;
  /** True where the plugin is known to be quick with such a file, so that it may run within the workflow task. */
  readonly quick: boolean;
  /** The attempt that has everything staged already, where one has: only the commit is left. */
  readonly stagedAttempt: number | null;
}

export interface PlanDependencies {
  readonly db: Database;
  readonly environmentRoot: string;
  readonly interpreter: string;
  readonly pace: Pace;
}

export type PlanActivities = ReturnType<typeof createPlanActivities>;

export function createPlanActivities({ db, environmentRoot, interpreter, pace }: PlanDependencies) {
  const environmentOf = remember((hash: string) => loadEnvironment(db, hash));
  return withTemporalFailures({
    /** Makes the version's jobs by the rules and takes it out of the outbox, in one transaction; returns those that have not ended. */
    async planJobs({ fileVersionId }: { readonly fileVersionId: string }): Promise<{ readonly jobs: readonly PlannedJob[] }> {
      const jobs = await transaction(db, async (tx) => {
        const version = await loadFileVersion(tx, fileVersionId);
        if (version === null) {
          throw new TerminalFailure({
            code: "UNKNOWN_VERSION",
            message: `file version ${fileVersionId} is not in the record`,
            hint: "This workflow was started for another database; terminate it",
          });
        }
        const reason = await takeOutboxRow(tx, fileVersionId);
        // A retry brings back jobs that exist; only a version that is new, or offered to new rules, is routed.
        if (reason === "NEW" || reason === "BACKFILL") {
          await insertJobs(tx, fileVersionId, routeFile(version.relPath, version.sourceId, await activeRules(tx)));
        }
        return (await jobsToRun(tx, fileVersionId)).map((job) => ({ ...job, sizeBytes: version.stat.sizeBytes }));
      });
      return { jobs: await Promise.all(jobs.map(planned)) };
    },
  });

  async function planned(job: JobToRun & { readonly sizeBytes: number }): Promise<PlannedJob> {
    const environment = await environmentOf(job.environmentHash);
    return {
      jobId: job.id,
      plugin: job.pluginName,
      environmentHash: job.environmentHash,
      environmentReady: (await hasEnvironment({ environment, root: environmentRoot, interpreter })) !== null,
      quick: pace.isQuick(job.pluginId, job.sizeBytes),
      stagedAttempt: job.staged ? job.attempt : null,
    };
  }
}
