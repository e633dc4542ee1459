/** Runs something on the connection when it is free. */
export type Turn = <T>(work: () => Promise<T>) => Promise<T>;

/** A connection does one thing at a time; whoever works side by side takes turns. */
export function oneAtATime(): Turn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => {});
    return turn;
  };
}

/**
 * Works through items, so many at once. When one fails, or `signal` is aborted, the signal given to `work` is, and this throws the reason
 * when all have ended.
 */
export async function inLanes<T>(
  lanes: number,
  signal: AbortSignal,
  items: AsyncGenerator<T>,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const outcomes = await Promise.allSettled(
    Array.from({ length: lanes }, async () => {
      try {
        for await (const item of items) await work(item, either);
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }),
  );
  signal.throwIfAborted();
  if (failed.signal.aborted) throw outcomes.find((outcome) => outcome.status === "rejected")?.reason;
}
