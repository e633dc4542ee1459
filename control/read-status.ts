import { listPlugins } from "../db/plugin.ts";
import { countJobs, countOutbox, sourceOverviews, type OutboxCount, type SourceOverview } from "../db/overview.ts";
import { listRules } from "../db/routing-rule.ts";
import type { JobState } from "../domain/job-state.ts";
import type { ControlContext } from "./context.ts";

export type { ScanSummary, SourceOverview } from "../db/overview.ts";

export interface RecordStatus {
  readonly sources: readonly SourceOverview[];
  readonly jobs: Readonly<Record<JobState, number>>;
  /** Versions that wait to be planned. */
  readonly outbox: OutboxCount;
  /** Plugins with an active version. */
  readonly plugins: number;
  /** Enabled rules. */
  readonly rules: number;
}

/** What the record says of itself in one look. */
export async function readStatus({ db }: Pick<ControlContext, "db">): Promise<RecordStatus> {
  const [sources, jobs, outbox, plugins, rules] = await Promise.all([
    sourceOverviews(db),
    countJobs(db),
    countOutbox(db),
    listPlugins(db, null),
    listRules(db),
  ]);
  return {
    sources,
    jobs,
    outbox,
    plugins: plugins.filter((plugin) => plugin.state === "ACTIVE").length,
    rules: rules.filter((rule) => rule.enabled).length,
  };
}
