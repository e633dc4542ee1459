import { setTimeout } from "node:timers/promises";
import { messageOf } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";

/**
 * Repeats work with a pause in between until it is stopped, beginning at once. A failure is logged and the next turn comes all the
 * same. `stop` resolves when the turn that is under way has ended.
 */
export function every(intervalMs: number, name: string, log: Log, work: () => Promise<unknown>): { readonly stop: () => Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const done = (async () => {
    while (!signal.aborted) {
      await work().catch((error: unknown) => log.warn(`${name} failed; it is tried again`, { reason: messageOf(error) }));
      await setTimeout(intervalMs, undefined, { signal }).catch(() => {});
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await done;
    },
  };
}
