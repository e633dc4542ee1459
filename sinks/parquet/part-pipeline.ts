import type { EncodePool } from "./encode-pool.ts";
import type { EncodeJob } from "./encode-thread.ts";

/** Encodes the parts of one output on the pool's threads, and delivers them in the order in which they were sent. */
export interface PartPipeline {
  /** Calls `take` for the part once a thread is free, and resolves then. Throws the first failure of any part. */
  send(take: () => EncodeJob): Promise<void>;
  /** Resolves when all parts were delivered. Throws the first failure of any part. */
  drain(): Promise<void>;
  /** Delivers nothing more, and resolves when nothing is under way. */
  stop(): Promise<void>;
}

export interface PipelineOptions {
  readonly pool: EncodePool;
  /** Parts that may be under way: being encoded, or encoded and waiting for the disk. */
  readonly partsMax: number;
  readonly deliver: (file: Uint8Array) => Promise<void>;
}

export function createPartPipeline({ pool, partsMax, deliver }: PipelineOptions): PartPipeline {
  const underWay = new Set<Promise<void>>();
  let last: Promise<void> = Promise.resolve();
  let failure: { readonly error: unknown } | undefined;
  let stopped = false;

  const throwFailure = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  const finish = async (encoding: Promise<Uint8Array<ArrayBuffer>>, before: Promise<void>): Promise<void> => {
    try {
      const file = await encoding;
      await before;
      if (!stopped && failure === undefined) await deliver(file);
      // Frees the memory at once; the garbage collector may come much later.
      file.buffer.transfer(0);
    } catch (error) {
      failure ??= { error };
    }
  };

  return {
    async send(take) {
      while (underWay.size >= partsMax) await Promise.race(underWay);
      throwFailure();
      const thread = await pool.acquire();
      if (failure !== undefined || stopped) thread.release();
      throwFailure();
      if (stopped) return;
      const part = finish(thread.encode(take()), last);
      last = part;
      underWay.add(part);
      void part.then(() => underWay.delete(part));
    },
    async drain() {
      await last;
      throwFailure();
    },
    async stop() {
      stopped = true;
      await Promise.all(underWay);
    },
  };
}
