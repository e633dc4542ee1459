import { TerminalFailure } from "../../domain/failure.ts";
import { createThreadPool, type PooledThread, type ThreadPool } from "../files/thread-pool.ts";
import type { DialectName } from "./dialect.ts";
import { sliceBytes, type Answer, type Question } from "./slices.ts";

/** A few threads that turn Arrow IPC streams into text and count rows, shared by all outputs of a process. */
export interface TextPool {
  readonly threads: number;
  acquire(): Promise<TextThread>;
  /** The rows of a file on disk; null where it ends within one. */
  count(dialect: DialectName, path: string): Promise<number | null>;
  close(): Promise<void>;
}

export interface TextThread {
  /** The next slice of the part that `job` begins, or of the one that is under way. `recycle` gives a slice's memory back. */
  next(job: PartJob | undefined, recycle: ArrayBuffer | undefined): Promise<TextSlice>;
  release(): void;
}

export type PartJob = Omit<Extract<Question, { kind: "encode" }>, "kind" | "buffer">;
export type TextSlice = Extract<Answer, { slice: ArrayBuffer }>;

export function createTextPool(threads: number): TextPool {
  const pool: ThreadPool<Question, Answer> = createThreadPool({
    program: new URL("./encode-thread.ts", import.meta.url),
    threads,
    lost: (why, cause) => encodingFailure(why, cause),
    closed: () => new TerminalFailure({ code: "SINK_CLOSED", message: "the sink was closed while an output was being written" }),
  });
  return {
    threads,
    async acquire() {
      const thread = await pool.acquire();
      return {
        release: thread.release,
        async next(job, recycle) {
          const buffer = recycle ?? new ArrayBuffer(sliceBytes + sliceBytes / 16);
          const question: Question = job === undefined ? { kind: "next", buffer } : { kind: "encode", ...job, buffer };
          const answer = await ask(thread, question, job === undefined ? [buffer] : [buffer, job.stream]);
          if (!("slice" in answer)) throw new Error("a thread gave no text");
          return answer;
        },
      };
    },
    async count(dialect, path) {
      const thread = await pool.acquire();
      try {
        const answer = await ask(thread, { kind: "count", dialect, path }, []);
        if (!("count" in answer)) throw new Error("a thread gave no count");
        return answer.count;
      } finally {
        thread.release();
      }
    },
    close: pool.close,
  };
}

async function ask(thread: PooledThread<Question, Answer>, question: Question, transfer: readonly ArrayBuffer[]): Promise<Answer> {
  const answer = await thread.ask(question, transfer);
  if (!("failure" in answer)) return answer;
  const { failure } = answer;
  throw failure.code === "SINK_ENCODING" ? encodingFailure(failure.message) : new TerminalFailure(failure);
}

function encodingFailure(why: string, cause?: unknown): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_ENCODING",
    message: `the rows could not be written as text: ${why}`,
    hint: "Try smaller batches in the plugin; if they are small, please report it with the columns' types",
    cause,
  });
}
