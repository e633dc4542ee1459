import { activityInfo } from "@temporalio/activity";
import { ApplicationFailure, CancelledFailure } from "@temporalio/common";
import { isDatabaseTrouble } from "../db/pool.ts";
import { messageOf, TerminalFailure, TransientFailure } from "../domain/failure.ts";

/** A history keeps messages for ever and is shown in a browser; the record has them whole. Characters. */
const messageLengthMax = 1_000;

/** What nobody foresaw may pass by itself, but not for ever. */
const unexpectedAttemptsMax = 5;

/**
 * Makes Temporal's failure of whatever an activity threw at its nth attempt. Terminal ones are not tried again, transient ones are.
 * Details hold code and hint; logs and tracebacks stay in the record, out of Temporal's history.
 */
export function toTemporalFailure(error: unknown, attempt: number): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  const known = error instanceof TerminalFailure || error instanceof TransientFailure ? error : null;
  const transient = known === null ? isDatabaseTrouble(error) || attempt < unexpectedAttemptsMax : known instanceof TransientFailure;
  return ApplicationFailure.create({
    message: messageOf(error).slice(0, messageLengthMax),
    type: known?.code ?? "UNEXPECTED",
    nonRetryable: !transient,
    details: [{ hint: known?.hint ?? null }],
    ...(known === null && error instanceof Error ? { cause: error } : {}),
  });
}

type Activity = (...args: never[]) => Promise<unknown>;

/** Wraps each activity so that its failures are Temporal's. */
export function withTemporalFailures<T extends Record<string, Activity>>(activities: T): T {
  const wrapped = Object.entries(activities).map(([name, activity]) => {
    const wrapper: Activity = async (...args) => {
      try {
        return await activity(...args);
      } catch (error) {
        throw toTemporalFailure(error, activityInfo().attempt);
      }
    };
    return [name, wrapper];
  });
  return Object.fromEntries(wrapped) as T;
}
