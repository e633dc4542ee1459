import { hostname } from "node:os";
import { deliverRunEvents, destinationOf } from "../control/openlineage/deliver.ts";
import type { Settings } from "../config/settings.ts";
import { subscribe, unsubscribe } from "../db/run-event-delivery.ts";
import type { Database } from "../db/pool.ts";
import { messageOf } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { every } from "./every.ts";

/** How often what waits is looked for; one query where nothing does. Milliseconds. */
const sendIntervalMs = 1_000;
/** How often the record is told that this home still asks for events. Milliseconds. */
const subscribeIntervalMs = 60_000;
/** How long the last events are waited for when the system stops; what is left goes out at the next start. Milliseconds. */
const lastMsMax = 2_000;

/**
 * Has events of jobs recorded, and sends them beside the work, where the settings ask for it. Resolves when they are recorded from now on. With
 * `owner`, a home whose settings no longer ask for them takes its subscription back.
 */
export async function sendRunEvents(options: {
  readonly db: Database;
  readonly settings: Pick<Settings, "home" | "openLineage">;
  readonly log: Log;
  readonly owner: boolean;
}): Promise<{ readonly stop: () => Promise<void> }> {
  const { db, log, settings } = options;
  const destination = destinationOf(settings.openLineage);
  const home = `${hostname()}:${settings.home}`;
  if (destination === null) {
    if (options.owner && (await unsubscribe(db, home))) log.info("OpenLineage events are no longer recorded for this folder");
    return { stop: async () => {} };
  }
  const stopping = new AbortController();
  const delivery = { db, log, destination, settings: settings.openLineage };
  await subscribe(db, home, destination.name);
  const subscribing = every(subscribeIntervalMs, "asking for OpenLineage events", log, () => subscribe(db, home, destination.name));
  const sending = every(sendIntervalMs, "sending OpenLineage events", log, () => deliverRunEvents(delivery, stopping.signal));
  return {
    async stop() {
      await subscribing.stop();
      const timer = setTimeout(() => stopping.abort(), lastMsMax);
      await sending.stop();
      await deliverRunEvents(delivery, stopping.signal).catch((error: unknown) =>
        log.warn("OpenLineage events wait for the next start", { reason: messageOf(error) }),
      );
      clearTimeout(timer);
    },
  };
}
