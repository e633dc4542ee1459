import { TerminalFailure } from "../../domain/failure.ts";
import { createThreadPool } from "../files/thread-pool.ts";
import type { EncodeAnswer, EncodeJob } from "./encode-thread.ts";

/** A few threads that turn Arrow IPC streams into Parquet, shared by all outputs of a process. */
export interface EncodePool {
  /** Resolves when a thread is free. The thread is yours until `encode` ends or `release`. */
  acquire(): Promise<EncodeThread>;
  /** Ends the threads; what they are doing fails. */
  close(): Promise<void>;
}

export interface EncodeThread {
  /** Resolves to a whole Parquet file. Throws TerminalFailure SINK_ENCODING, or SINK_VALUE for a value that can't be kept. */
  encode(job: EncodeJob): Promise<Uint8Array<ArrayBuffer>>;
  release(): void;
}

export function createEncodePool(threads: number): EncodePool {
  const pool = createThreadPool<EncodeJob, EncodeAnswer>({
    program: new URL("./encode-thread.ts", import.meta.url),
    threads,
    lost: (why, cause) => new TerminalFailure({ ...described({ code: "SINK_ENCODING", message: why, hint: undefined }), cause }),
    closed: closedFailure,
  });
  return {
    async acquire() {
      const thread = await pool.acquire();
      return {
        release: thread.release,
        async encode(job) {
          try {
            const answer = await thread.ask(job, [job.stream]);
            if (answer.retire) await thread.retire();
            if ("failure" in answer) throw new TerminalFailure(described(answer.failure));
            return answer.file;
          } finally {
            thread.release();
          }
        },
      };
    },
    close: pool.close,
  };
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
