import { messageOf } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";

/**
 * Repeats work with a pause in between until it is stopped, beginning at once. A failure is logged and the next turn comes all the
 * same. `stop` resolves when the turn that is under way has ended; `nudge` brings the next turn now.
 */
export function every(
  intervalMs: number,
  name: string,
  log: Log,
  work: () => Promise<unknown>,
): { readonly nudge: () => void; readonly stop: () => Promise<void> } {
  let stopped = false;
  let wake = () => {};
  const done = (async () => {
    while (!stopped) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await work().catch((error: unknown) => log.warn(`${name} failed; it is tried again`, { reason: messageOf(error) }));
      const timer = setTimeout(resolve, intervalMs);
      await promise;
      clearTimeout(timer);
    }
  })();
  return {
    nudge: () => wake(),
    async stop() {
      stopped = true;
      wake();
      await done;
    },
  };
}
