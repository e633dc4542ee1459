import { Worker } from "node:worker_threads";
import { messageOf, TerminalFailure } from "../../domain/failure.ts";
import type { EncodeAnswer, EncodeJob } from "./encode-thread.ts";

/** A few threads that turn Arrow IPC streams into Parquet, shared by all outputs of a process. */
export interface EncodePool {
  /** Resolves when a thread is free, first come first served, so that no part waits in memory for one. The thread is yours until `encode` ends or `release`. */
  acquire(): Promise<EncodeThread>;
  /** Ends the threads; what they are doing fails. */
  close(): Promise<void>;
}

export interface EncodeThread {
  /** Resolves to a whole Parquet file. Throws TerminalFailure SINK_ENCODING, or SINK_VALUE for a value that can't be kept. */
  encode(job: EncodeJob): Promise<Uint8Array<ArrayBuffer>>;
  release(): void;
}

/** Threads are started when first needed, and an idle one doesn't keep the process alive. */
export function createEncodePool(threads: number): EncodePool {
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  const waiting: { readonly give: (worker: Worker) => void; readonly refuse: (error: Error) => void }[] = [];
  let closed = false;

  const start = (): Worker => {
    const worker = new Worker(new URL("./encode-thread.ts", import.meta.url));
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
    while (!closed && waiting.length > 0 && (idle.length > 0 || all.size < threads)) waiting.shift()?.give(idle.pop() ?? start());
  };
  const giveBack = (worker: Worker): void => {
    worker.unref();
    if (all.has(worker)) idle.push(worker);
    serve();
  };
  const threadOf = (worker: Worker): EncodeThread => {
    worker.ref();
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      giveBack(worker);
    };
    return {
      release,
      async encode(job) {
        try {
          const answer = await answerOf(worker, job);
          // Its `exit` serves the next in the queue with a new thread.
          if (answer.retire) await worker.terminate();
          if ("failure" in answer) throw new TerminalFailure(described(answer.failure));
          return answer.file;
        } finally {
          release();
        }
      },
    };
  };

  return {
    acquire() {
      if (closed) return Promise.reject(closedFailure());
      const { promise, resolve, reject } = Promise.withResolvers<Worker>();
      waiting.push({ give: resolve, refuse: reject });
      serve();
      return promise.then(threadOf);
    },
    async close() {
      closed = true;
      for (const { refuse } of waiting.splice(0)) refuse(closedFailure());
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}

/** The thread's answer, or why there will be none. */
function answerOf(worker: Worker, job: EncodeJob): Promise<EncodeAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<EncodeAnswer>();
  const lost = (why: string, cause?: unknown): void =>
    reject(new TerminalFailure({ ...described({ code: "SINK_ENCODING", message: why, hint: undefined }), cause }));
  const onError = (error: unknown): void => lost(messageOf(error), error);
  const onExit = (code: number): void => lost(`its thread ended with code ${code}`);
  worker.once("message", resolve).once("error", onError).once("exit", onExit);
  worker.postMessage(job, [job.stream]);
  return promise.finally(() => {
    worker.off("message", resolve).off("error", onError).off("exit", onExit);
  });
}

function described(failure: { readonly code: string; readonly message: string; readonly hint: string | undefined }): typeof failure {
  if (failure.code !== "SINK_ENCODING") return failure;
  return {
    code: failure.code,
    message: `the Parquet encoder failed: ${failure.message}`,
    hint: "Try smaller batches or other column types in the plugin; if the columns are ordinary ones, please report it with their types",
  };
}

function closedFailure(): TerminalFailure {
  return new TerminalFailure({ code: "SINK_CLOSED", message: "the Parquet sink was closed while an output was being written" });
}
