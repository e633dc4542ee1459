import type { Queryable } from "../../db/pool.ts";
import { factsOfRuns, recordId, type RunEvent } from "../../db/run-event.ts";
import { toOpenLineage, type EventContext } from "./event.ts";

/** The events as OpenLineage has them, one line of JSON each, in the given order. */
export async function makeEvents(
  db: Queryable,
  events: readonly RunEvent[],
  options: Omit<EventContext, "recordId">,
): Promise<readonly string[]> {
  const context = { ...options, recordId: await recordId(db) };
  const facts = await factsOfRuns(db, events, options);
  const byRun = new Map(facts.map((fact) => [runKey(fact), fact]));
  return events.map((event) => JSON.stringify(toOpenLineage(event, byRun.get(runKey(event))!, context)));
}

/** What the events of one run have in common. */
export function runKey({ jobId, attempt }: Pick<RunEvent, "jobId" | "attempt">): string {
  return `${jobId}/${attempt ?? ""}`;
}
