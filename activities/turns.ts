import { TransientFailure } from "../domain/failure.ts";

/** Bounds how many plugins run at once in this worker, whichever activity asks, and shares the turns out among the plugins. */
export interface Turns {
  /**
   * Waits for a free turn and does the work in it. A turn that comes free goes to the plugin that has the fewest, so one with many slow files
   * holds up no other. Throws TransientFailure WORKER_BUSY where none comes within `waitMsMax`, and the signal's reason when it is aborted
   * before.
   */
  take<T>(work: () => Promise<T>, options: TurnOptions): Promise<T>;
}

interface TurnOptions {
  readonly plugin: string;
  readonly signal: AbortSignal;
  readonly waitMsMax?: number;
}

interface Waiting {
  readonly plugin: string;
  readonly give: () => void;
}

export function createTurns(count: number): Turns {
  let free = count;
  const taken = new Map<string, number>();
  /** In the order in which they came. */
  const waiting = new Set<Waiting>();

  return {
    async take(work, options) {
      options.signal.throwIfAborted();
      if (free > 0) give(options.plugin);
      else await turn(options);
      try {
        return await work();
      } finally {
        takeBack(options.plugin);
        const next = nextOf(waiting, (plugin) => taken.get(plugin) ?? 0);
        // Given before it is told, so that nobody who comes now gets it first.
        if (next !== undefined) {
          waiting.delete(next);
          give(next.plugin);
          next.give();
        }
      }
    },
  };

  function give(plugin: string): void {
    free -= 1;
    taken.set(plugin, (taken.get(plugin) ?? 0) + 1);
  }

  function takeBack(plugin: string): void {
    free += 1;
    const left = (taken.get(plugin) ?? 0) - 1;
    if (left > 0) taken.set(plugin, left);
    else taken.delete(plugin);
  }

  function turn({ plugin, signal, waitMsMax }: TurnOptions): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const entry: Waiting = { plugin, give: resolve };
    waiting.add(entry);
    const giveUp = (reason: unknown): void => {
      // One that has its turn already keeps it, and its work sees the signal.
      if (waiting.delete(entry)) reject(reason);
    };
    const onAbort = (): void => giveUp(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const busy = new TransientFailure({ code: "WORKER_BUSY", message: "all plugin processes of this worker are taken" });
    const timer = waitMsMax === undefined ? undefined : setTimeout(() => giveUp(busy), waitMsMax);
    return promise.finally(() => {
      signal.removeEventListener("abort", onAbort);
      clearTimeout(timer);
    });
  }
}

/** Of the plugin that has the fewest turns; among equals, the one that has waited longest. */
function nextOf(waiting: ReadonlySet<Waiting>, takenBy: (plugin: string) => number): Waiting | undefined {
  let next: Waiting | undefined;
  for (const entry of waiting) if (next === undefined || takenBy(entry.plugin) < takenBy(next.plugin)) next = entry;
  return next;
}
