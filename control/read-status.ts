import { listPlugins } from "../db/plugin.ts";
import { countJobs, countOutbox, sourceOverviews, type OutboxCount, type SourceOverview } from "../db/overview.ts";
import { runEventDelivery, type RunEventDelivery } from "../db/run-event-delivery.ts";
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
  /** Of OpenLineage; null where nobody asks for them, and none wait. */
  readonly runEvents: RunEventDelivery | null;
}

/** What the record says of itself in one look. */
export async function readStatus({ db }: Pick<ControlContext, "db">): Promise<RecordStatus> {
  const [sources, jobs, outbox, plugins, rules, runEvents] = await Promise.all([
    sourceOverviews(db),
    countJobs(db),
    countOutbox(db),
    listPlugins(db, null),
    listRules(db),
    runEventDelivery(db),
  ]);
  return {
    sources,
    jobs,
    outbox,
    plugins: plugins.filter((plugin) => plugin.state === "ACTIVE").length,
    rules: rules.filter((rule) => rule.enabled).length,
    runEvents: runEvents.subscribers.length + runEvents.waiting + runEvents.refused === 0 ? null : runEvents,
  };
}
