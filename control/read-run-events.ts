import { readRunEvents as readPages, type RunEventFilter } from "../db/run-event.ts";
import { WrongUse } from "../domain/failure.ts";
import type { OpenLineageSettings } from "../domain/openlineage.ts";
import type { ControlContext } from "./context.ts";
import { makeEvents } from "./openlineage/make-events.ts";
import { findJob } from "./show-job.ts";

/**
 * Gives OpenLineage events of everything on record, by time, as lines of JSON, whether they are sent anywhere or not. The same events as are sent,
 * with the same run ids. `take` is given some at once, is waited for, and returns
 * whether it wants more. Throws WrongUse for an unknown job.
 */
export async function readRunEvents(
  { db }: ControlContext,
  filter: RunEventFilter,
  settings: Pick<OpenLineageSettings, "namespace" | "sourceCode">,
  take: (lines: readonly string[]) => Promise<boolean>,
): Promise<void> {
  if (filter.jobId !== undefined) await findJob(db, filter.jobId);
  if (filter.until !== undefined && filter.until <= filter.since)
    throw new WrongUse("the time to end at is not after the time to begin at");
  await readPages(db, filter, async (tx, page) => take(await makeEvents(tx, page, settings)));
}
