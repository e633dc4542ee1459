import { TransientFailure } from "../domain/failure.ts";

/** Bounds how many plugins run at once in this worker, whichever activity asks. */
export interface Turns {
  /**
   * Waits for a free turn and does the work in it. Throws TransientFailure WORKER_BUSY where none is free within `waitMsMax`, and the
   * signal's reason when it is aborted before.
   */
  take<T>(work: () => Promise<T>, options: { readonly signal: AbortSignal; readonly waitMsMax?: number }): Promise<T>;
}

export function createTurns(count: number): Turns {
  let free = count;
  const waiting = new Set<() => void>();

  return {
    async take(work, { signal, waitMsMax }) {
      signal.throwIfAborted();
      if (free > 0) free -= 1;
      else await turn(signal, waitMsMax);
      try {
        return await work();
      } finally {
        // The turn is handed on, so that nobody who comes now gets it before those who wait.
        const [next] = waiting;
        if (next === undefined) free += 1;
        else next();
      }
    },
  };

  function turn(signal: AbortSignal, waitMsMax: number | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const given = (): void => resolve();
    waiting.add(given);
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    const busy = new TransientFailure({ code: "WORKER_BUSY", message: "all plugin processes of this worker are taken" });
    const timer = waitMsMax === undefined ? undefined : setTimeout(() => reject(busy), waitMsMax);
    return promise.finally(() => {
      waiting.delete(given);
      signal.removeEventListener("abort", onAbort);
      clearTimeout(timer);
    });
  }
}
