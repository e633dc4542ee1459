import { setTimeout } from "node:timers/promises";
import { messageOf } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";

/** How long after a failure it is tried again. Milliseconds. */
const retryMs = 2_000;

/**
 * Does work once at the start and once more after each `nudge`; a failure is logged, and the work is tried again until it succeeds.
 * `stop` resolves when what is under way has ended.
 */
export function onDemand(
  name: string,
  log: Log,
  work: () => Promise<unknown>,
): { readonly nudge: () => void; readonly stop: () => Promise<void> } {
  const stopping = new AbortController();
  let wanted = true;
  let wake = () => {};
  const done = (async () => {
    while (!stopping.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      if (!wanted) await promise;
      if (stopping.signal.aborted) return;
      wanted = false;
      await work().catch(async (error: unknown) => {
        wanted = true;
        log.warn(`${name} failed; it is tried again`, { reason: messageOf(error) });
        await setTimeout(retryMs, undefined, { signal: stopping.signal }).catch(() => {});
      });
    }
  })();
  return {
    nudge() {
      wanted = true;
      wake();
    },
    async stop() {
      stopping.abort();
      wake();
      await done;
    },
  };
}
