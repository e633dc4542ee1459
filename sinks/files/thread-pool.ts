import { Worker } from "node:worker_threads";
import { messageOf } from "../../domain/failure.ts";

/** A few threads of one program that answers each message with one, shared by all outputs of a process. */
export interface ThreadPool<Question, Answer> {
  /** Resolves when a thread is free, first come first served, so that no part waits in memory for one. The thread is yours until `release`. */
  acquire(): Promise<PooledThread<Question, Answer>>;
  /** Ends the threads; what they are doing fails. */
  close(): Promise<void>;
}

export interface PooledThread<Question, Answer> {
  /** Throws what `lost` makes of it where the thread ends before it has answered. */
  ask(question: Question, transfer: readonly ArrayBuffer[]): Promise<Answer>;
  /** Ends the thread; the next one who asks for one gets a new one. */
  retire(): Promise<void>;
  release(): void;
}

export interface ThreadPoolOptions {
  readonly program: URL;
  readonly threads: number;
  /** Why a thread that was asked gave no answer. */
  readonly lost: (why: string, cause: unknown) => Error;
  /** That the pool was closed. */
  readonly closed: () => Error;
}

/** Threads are started when first needed, and an idle one doesn't keep the process alive. */
export function createThreadPool<Question, Answer>(options: ThreadPoolOptions): ThreadPool<Question, Answer> {
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  const waiting: { readonly give: (worker: Worker) => void; readonly refuse: (error: Error) => void }[] = [];
  let closed = false;

  const start = (): Worker => {
    const worker = new Worker(options.program);
    all.add(worker);
    // A thread that breaks is never given out again, though it has not ended yet; who waits for its answer is told by `answerOf`.
    worker.once("error", () => forget(worker)).once("exit", () => forget(worker));
    return worker;
  };
  const forget = (worker: Worker): void => {
    all.delete(worker);
    if (idle.includes(worker)) idle.splice(idle.indexOf(worker), 1);
    serve();
  };
  const serve = (): void => {
    while (!closed && waiting.length > 0 && (idle.length > 0 || all.size < options.threads)) waiting.shift()?.give(idle.pop() ?? start());
  };
  const giveBack = (worker: Worker): void => {
    worker.unref();
    if (all.has(worker)) idle.push(worker);
    serve();
  };
  const threadOf = (worker: Worker): PooledThread<Question, Answer> => {
    worker.ref();
    let held = true;
    return {
      ask: (question, transfer) => answerOf<Answer>(worker, question, transfer, options),
      // Its `exit` serves the next in the queue with a new thread.
      retire: async () => void (await worker.terminate()),
      release() {
        if (!held) return;
        held = false;
        giveBack(worker);
      },
    };
  };

  return {
    acquire() {
      if (closed) return Promise.reject(options.closed());
      const { promise, resolve, reject } = Promise.withResolvers<Worker>();
      waiting.push({ give: resolve, refuse: reject });
      serve();
      return promise.then(threadOf);
    },
    async close() {
      closed = true;
      for (const { refuse } of waiting.splice(0)) refuse(options.closed());
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}

/** The thread's answer, or why there will be none. */
function answerOf<Answer>(
  worker: Worker,
  question: unknown,
  transfer: readonly ArrayBuffer[],
  { lost }: Pick<ThreadPoolOptions, "lost">,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const onError = (error: unknown): void => reject(lost(messageOf(error), error));
  const onExit = (code: number): void => reject(lost(`its thread ended with code ${code}`, undefined));
  worker.once("message", resolve).once("error", onError).once("exit", onExit);
  worker.postMessage(question, transfer);
  return promise.finally(() => {
    worker.off("message", resolve).off("error", onError).off("exit", onExit);
  });
}
