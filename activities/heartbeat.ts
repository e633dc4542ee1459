import { activityInfo, cancellationSignal, CancelledFailure, heartbeat } from "@temporalio/activity";
import { TransientFailure } from "../domain/failure.ts";

/** How often an activity tells that it lives; cancellation arrives with the answer. Milliseconds. */
const intervalMs = 1_000;

/**
 * Runs long work as an activity should: heartbeats with the latest progress, a signal that aborts on cancellation, and the right
 * ending when it does. A worker that stops is no cancellation: the work is to be taken up by the next worker.
 */
export async function withHeartbeat<T>(work: (signal: AbortSignal, progress: (detail: unknown) => void) => Promise<T>): Promise<T> {
  const signal = cancellationSignal();
  let detail: unknown = activityInfo().heartbeatDetails ?? null;
  const timer = setInterval(() => heartbeat(detail), intervalMs);
  try {
    return await work(signal, (latest) => (detail = latest));
  } catch (error) {
    if (!signal.aborted) throw error;
    if (signal.reason instanceof CancelledFailure && signal.reason.message === "WORKER_SHUTDOWN") {
      throw new TransientFailure({ code: "WORKER_STOPPED", message: "the worker stopped; another goes on with the job", cause: error });
    }
    throw signal.reason;
  } finally {
    clearInterval(timer);
  }
}
