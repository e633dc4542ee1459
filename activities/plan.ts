import { hasEnvironment } from "../bridge/environments.ts";
import type { PythonSearch } from "../bridge/pythons.ts";
import { insertJobs, jobsToRun, type JobToRun } from "../db/job.ts";
import { takeOutboxRow } from "../db/outbox.ts";
import { runnerOfPlugin } from "../db/plugin-runner.ts";
import { loadEnvironment } from "../db/plugin.ts";
import { transaction, type Database } from "../db/pool.ts";
import { activeRules } from "../db/routing-rule.ts";
import type { FileVersion } from "../domain/file-version.ts";
import { routeFile } from "../domain/route.ts";
import { withTemporalFailures } from "./failure.ts";
import { remember } from "./remember.ts";
import type { Pace } from "./pace.ts";
import type { VersionOf } from "./version-of.ts";

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
  readonly pythons?: PythonSearch | undefined;
  readonly pace: Pace;
  readonly versionOf: VersionOf;
}

export type PlanActivities = ReturnType<typeof createPlanActivities>;

export function createPlanActivities({ db, environmentRoot, interpreter, pythons, pace, versionOf }: PlanDependencies) {
  const environmentOf = remember((hash: string) => loadEnvironment(db, hash));
  return withTemporalFailures({
    /** Makes the version's jobs by the rules and takes it out of the outbox, in one transaction; returns those that have not ended. */
    async planJobs({ fileVersionId }: { readonly fileVersionId: string }): Promise<{ readonly jobs: readonly PlannedJob[] }> {
      const version = await versionOf(fileVersionId);
      const jobs = await transaction(db, async (tx) => {
        const reason = await takeOutboxRow(tx, fileVersionId);
        // A retry brings back jobs that exist; only a version that is new, or offered to new rules, is routed.
        if (reason === "NEW" || reason === "BACKFILL") {
          await insertJobs(tx, fileVersionId, routeFile(version.relPath, version.sourceId, await activeRules(tx)));
        }
        return jobsToRun(tx, fileVersionId);
      });
      return { jobs: await Promise.all(jobs.map((job) => planned(job, version))) };
    },
  });

  async function planned(job: JobToRun, { stat, archive }: FileVersion): Promise<PlannedJob> {
    const isReplay = job.replayOf !== null;
    const isElsewhere = !isReplay && (await runnerOfPlugin(db, job.pluginName)) !== null;
    const environment = await environmentOf(job.environmentHash);
    return {
      jobId: job.id,
      plugin: job.pluginName,
      environmentHash: job.environmentHash,
      // A replay runs no plugin, and a runner builds its own.
      environmentReady:
        isReplay || isElsewhere || (await hasEnvironment({ environment, root: environmentRoot, interpreter, pythons })) !== null,
      // A member costs the reading of its archive as well.
      quick: !isReplay && !isElsewhere && pace.isQuick(job.pluginId, stat.sizeBytes + (archive?.sizeBytes ?? 0)),
      stagedAttempt: job.staged ? job.attempt : null,
    };
  }
}
