import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { TerminalFailure } from "../domain/failure.ts";
import type { ListMembersEnd, ListMembersRequest, MemberChunk } from "./list-members.ts";
import type { HashResult, HashTask } from "./hash.ts";
import type { WalkChunk, WalkEnd, WalkRequest } from "./walk.ts";

export type ThreadJob =
  | { readonly kind: "walk"; readonly request: WalkRequest }
  | {
      readonly kind: "hash";
      readonly tasks: readonly HashTask[];
      /** The folder of copies that takes the contents as well; null where none is asked for. */
      readonly copyTo: string | null;
    }
  | { readonly kind: "members"; readonly request: ListMembersRequest };

export interface ThreadOrder {
  readonly job: ThreadJob;
  /** Shared: how many chunks were sent and not taken. */
  readonly ahead: Int32Array;
}

export type ThreadReply =
  | { readonly kind: "chunk"; readonly value: unknown }
  | { readonly kind: "end"; readonly value: unknown }
  | {
      readonly kind: "failed";
      readonly terminal: { readonly code: string; readonly message: string; readonly hint: string | undefined } | null;
      readonly error: unknown;
    };

/** A thread goes on while the main one takes what it has sent, but not further than this. */
export const chunksAheadMax = 8;

/** Threads in which the file system is looked at, so that a slow disk or share never holds the event loop. */
export interface ScoutThreads {
  readonly size: number;
  /** Throws what `walk` throws; the signal's reason when aborted. */
  walk(request: WalkRequest, signal: AbortSignal): AsyncGenerator<WalkChunk, WalkEnd>;
  /** Yields how many bytes more were read. With `copyTo` the contents are copied into that folder of `snapshots/store.ts`. */
  hash(tasks: readonly HashTask[], signal: AbortSignal, copyTo?: string | null): AsyncGenerator<number, readonly HashResult[]>;
  /** Yields the members of an archive; they are to be believed only once it has ended well. */
  members(request: ListMembersRequest, signal: AbortSignal): AsyncGenerator<MemberChunk, ListMembersEnd>;
  /** Ends all threads, also one whose work somebody has begun and will never take to its end. */
  close(): Promise<void>;
}

/** Files or an archive of more than this wait for a place, so that large ones never hold up a walk or a small file. Bytes. */
const largeBytes = 4 * 1024 * 1024;

/**
 * Makes a pool of threads. They start when needed (30 to 100 ms each) and as many as `size` stay, because a hinted scan of one file takes a
 * tenth of that; an idle one doesn't keep the process alive. At most `size` large jobs run at once. A thread whose work is aborted
 * is ended, wherever it is.
 */
export function createScoutThreads(size = Math.min(4, Math.max(2, availableParallelism()))): ScoutThreads {
  const all = new Set<Worker>();
  const idle: Worker[] = [];
  const takePlace = places(size);

  return {
    size,
    walk: (request, signal) => run<WalkChunk, WalkEnd>({ kind: "walk", request }, signal),
    hash(tasks, signal, copyTo = null) {
      const bytes = tasks.reduce((sum, task) => sum + task.stat.sizeBytes, 0);
      return runInPlace<number, readonly HashResult[]>(bytes, { kind: "hash", tasks, copyTo }, signal);
    },
    members: (request, signal) => runInPlace<MemberChunk, ListMembersEnd>(request.stat.sizeBytes, { kind: "members", request }, signal),
    async close() {
      idle.length = 0;
      await Promise.all([...all].map((thread) => thread.terminate()));
    },
  };

  async function* runInPlace<Chunk, End>(bytes: number, job: ThreadJob, signal: AbortSignal): AsyncGenerator<Chunk, End> {
    const leave = bytes > largeBytes ? await takePlace(signal) : undefined;
    try {
      return yield* run<Chunk, End>(job, signal);
    } finally {
      leave?.();
    }
  }

  async function* run<Chunk, End>(job: ThreadJob, signal: AbortSignal): AsyncGenerator<Chunk, End> {
    signal.throwIfAborted();
    const thread = idle.pop() ?? startThread();
    thread.ref();
    const ahead = new Int32Array(new SharedArrayBuffer(4));
    const inbox = openInbox(thread, signal);
    let ended = false;
    try {
      thread.postMessage({ job, ahead } satisfies ThreadOrder, []);
      for (;;) {
        const reply = await inbox.next();
        if (reply.kind === "chunk") {
          yield reply.value as Chunk;
          Atomics.sub(ahead, 0, 1);
          Atomics.notify(ahead, 0);
        } else {
          ended = true;
          if (reply.kind === "end") return reply.value as End;
          throw reply.terminal === null ? reply.error : new TerminalFailure(reply.terminal);
        }
      }
    } finally {
      inbox.close();
      thread.unref();
      if (ended && idle.length < size) idle.push(thread);
      else void thread.terminate();
    }
  }

  function startThread(): Worker {
    const thread = new Worker(new URL("./thread.ts", import.meta.url), { name: "scout" });
    // Unheard, the event would end the process; whoever uses the thread hears of it, too.
    thread.on("error", () => {});
    all.add(thread);
    thread.once("exit", () => {
      all.delete(thread);
      const place = idle.indexOf(thread);
      if (place >= 0) idle.splice(place, 1);
    });
    return thread;
  }
}

/** So many may be in at once; the others wait in order, unless they are aborted. Resolves with what leaves the place again. */
function places(count: number): (signal: AbortSignal) => Promise<() => void> {
  const waiting: (() => void)[] = [];
  let free = count;
  return async (signal) => {
    signal.throwIfAborted();
    if (free > 0) free -= 1;
    else await waitForPlace(signal);
    return () => {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    };
  };

  async function waitForPlace(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      // Where it isn't waiting any more, the place is its own and is left soon.
      const turn = waiting.indexOf(resolve);
      if (turn < 0) return;
      waiting.splice(turn, 1);
      reject(signal.reason);
    };
    waiting.push(resolve);
    signal.addEventListener("abort", onAbort);
    await promise.finally(() => signal.removeEventListener("abort", onAbort));
  }
}

/** The replies of a thread in order; `next` rejects when the thread dies or the signal aborts. */
function openInbox(thread: Worker, signal: AbortSignal): { next(): Promise<ThreadReply>; close(): void } {
  const replies: ThreadReply[] = [];
  let failure: { readonly reason: unknown } | undefined;
  let wake: (() => void) | undefined;
  const onMessage = (reply: ThreadReply): void => {
    replies.push(reply);
    wake?.();
  };
  const fail = (reason: unknown): void => {
    failure ??= { reason };
    wake?.();
  };
  const onExit = (code: number): void => fail(new Error(`a scout thread ended by itself with code ${code}`));
  const onAbort = (): void => fail(signal.reason);
  thread.on("message", onMessage).on("error", fail).on("exit", onExit);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();

  return {
    async next() {
      for (;;) {
        if (failure !== undefined) throw failure.reason;
        const reply = replies.shift();
        if (reply !== undefined) return reply;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    close() {
      thread.off("message", onMessage).off("error", fail).off("exit", onExit);
      signal.removeEventListener("abort", onAbort);
    },
  };
}
