import type { PartJob, TextPool, TextThread } from "./text-pool.ts";

/** Encodes the parts of one output on the pool's threads, and delivers their text in the order in which they were sent. */
export interface PartOrder {
  /** Calls `take` for the part once a thread is free, and resolves then. Throws the first failure of any part. */
  send(take: () => PartJob): Promise<void>;
  /** Resolves when all parts were delivered. Throws the first failure of any part. */
  drain(): Promise<void>;
  /** Delivers nothing more, and resolves when nothing is under way. */
  stop(): Promise<void>;
}

/** A thread whose part has to wait for another's holds one slice of it; so many threads, so many slices are in memory. */
export function createPartOrder(pool: TextPool, deliver: (text: Uint8Array, rows: number) => Promise<void>): PartOrder {
  let last: Promise<void> = Promise.resolve();
  let failure: { readonly error: unknown } | undefined;
  let stopped = false;
  let spare: ArrayBuffer[] = [];
  const mayGoOn = (): boolean => !stopped && failure === undefined;
  const throwFailure = (): void => {
    if (failure !== undefined) throw failure.error;
  };

  const encode = async (thread: TextThread, job: PartJob, before: Promise<void>): Promise<void> => {
    try {
      let slice = await thread.next(job, spare.pop());
      await before;
      while (mayGoOn()) {
        await deliver(new Uint8Array(slice.slice, 0, slice.bytes), slice.rows);
        if (slice.isLast) {
          if (spare.length < pool.threads) spare.push(slice.slice);
          break;
        }
        slice = await thread.next(undefined, slice.slice);
      }
    } catch (error) {
      failure ??= { error };
    } finally {
      thread.release();
    }
    await before;
  };

  return {
    async send(take) {
      throwFailure();
      const thread = await pool.acquire();
      if (!mayGoOn()) thread.release();
      throwFailure();
      if (!stopped) last = encode(thread, take(), last);
    },
    async drain() {
      await last;
      throwFailure();
    },
    async stop() {
      stopped = true;
      await last;
      spare = [];
    },
  };
}
