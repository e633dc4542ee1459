import type { Client } from "@temporalio/client";
import { surveySchedules } from "../control/schedules/survey.ts";
import type { Database } from "../db/pool.ts";
import { TerminalFailure } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { every } from "./every.ts";

/** How often the record is looked at for what has changed; one query. Milliseconds. */
const recordIntervalMs = 2_000;
/** How often every schedule is looked at, whoever may have changed it. Milliseconds. */
const wholeIntervalMs = 60_000;

/**
 * Keeps the schedules in Temporal as the record asks for them, from the first moment on. Whatever is left undone when it dies, or done by
 * others, the next look mends. May run in several processes at once.
 */
export function followSchedules(options: { readonly db: Database; readonly client: Client; readonly log: Log }): {
  readonly stop: () => Promise<void>;
} {
  const { db, client: temporal, log } = options;
  const told = new Set<string>();
  let known: ReadonlyMap<string, string> | null = null;
  let wholeAt = 0;
  return every(recordIntervalMs, "keeping the schedules", log, async () => {
    const isWhole = known === null || Date.now() - wholeAt > wholeIntervalMs;
    if (isWhole) wholeAt = Date.now();
    const survey = await surveySchedules({ db, temporal }, isWhole ? null : known);
    for (const { id, message, mend } of survey.troubles) {
      try {
        await mend?.();
        if (mend === null) tellOnce(message);
        else log.info("a schedule was brought up to the record", { schedule: id, because: message });
      } catch (error) {
        if (!(error instanceof TerminalFailure)) throw error;
        tellOnce(error.message, error.hint);
      }
    }
    known = survey.known;
  });

  function tellOnce(message: string, hint?: string): void {
    if (told.has(message)) return;
    told.add(message);
    log.warn(message, hint === undefined ? {} : { hint });
  }
}
