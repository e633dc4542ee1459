import type { Database, Queryable } from "../../db/pool.ts";
import { waitingRunEvents } from "../../db/run-event.ts";
import { isSendingDue, recordFailure, recordRefused, recordSent, recordTried, whileSending } from "../../db/run-event-delivery.ts";
import type { Log } from "../../domain/log.ts";
import type { OpenLineageSettings } from "../../domain/openlineage.ts";
import type { Answer, Destination, Trouble } from "./destination.ts";
import { httpDestination } from "./endpoint.ts";
import { fileDestination } from "./file.ts";
import { makeEvents, runKey } from "./make-events.ts";

/** A batch is in memory, with all columns of all outputs. */
const batchEvents = 100;
const pauseSecondsMax = 60;

export interface DeliveryOptions {
  readonly db: Database;
  readonly log: Log;
  readonly destination: Destination;
  readonly settings: OpenLineageSettings;
}

/** The place that the settings name; null where events are off. */
export function destinationOf({ destination }: OpenLineageSettings): Destination | null {
  if (destination === null) return null;
  return destination.kind === "file" ? fileDestination(destination.path) : httpDestination(destination.url, destination.apiKey);
}

/**
 * Sends what waits, until nothing waits, or something is in the way, or `signal` aborts. One process at a time: where another one sends, or a
 * pause after a failure is not over, it does nothing.
 *
 * At least once: an event leaves the record after it was taken, so one that was taken by an endpoint whose answer was lost, or just before the
 * process was killed, is sent again, with the same run id and text. The events of one run arrive in order.
 */
export async function deliverRunEvents(options: DeliveryOptions, signal: AbortSignal): Promise<void> {
  if (!(await isSendingDue(options.db))) return;
  await whileSending(options.db, async (tx) => {
    while (!signal.aborted && (await isSendingDue(tx))) if (!(await deliverBatch(tx, options, signal))) return;
  });
}

/** Whether to go on with the next one. */
async function deliverBatch(db: Queryable, { destination, settings, log }: DeliveryOptions, signal: AbortSignal): Promise<boolean> {
  const events = await waitingRunEvents(db, batchEvents);
  const lines = await makeEvents(db, events, settings);
  const outgoing = events.map((event, i) => ({ id: event.id, run: runKey(event), json: lines[i]! }));
  const answer = await destination.send(outgoing, signal);
  if (answer.sent.length > 0) await recordSent(db, answer.sent);
  for (const { id, reason } of answer.refused) {
    await recordRefused(db, id, reason);
    log.warn(`an OpenLineage event was refused and is set aside: ${reason}`, { event: id });
  }
  if (signal.aborted || answer.trouble === null) return !signal.aborted;
  await noteTrouble(db, answer, answer.trouble, log);
  return false;
}

async function noteTrouble(db: Queryable, { sent }: Answer, { message, pauseSeconds, failed }: Trouble, log: Log): Promise<void> {
  const setAside = sent.length > 0 && failed.length > 0 ? await recordTried(db, failed, message) : 0;
  if (setAside > 0) log.warn(`OpenLineage events at which the endpoint fails are set aside: ${message}`, { events: setAside });
  const failures = await recordFailure(db, message, (count) => pauseSeconds ?? Math.min(pauseSecondsMax, 2 ** (count - 1)));
  const text = `OpenLineage events can't be sent; they wait: ${message}`;
  if (failures === 1) log.warn(text);
  else log.debug(text, { failures });
}
