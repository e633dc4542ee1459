import type { ArrowMessage } from "../../domain/arrow.ts";
import { TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import { createThreadPool } from "../files/thread-pool.ts";
import type { TargetColumn } from "./columns.ts";

/** What is kept with staged rows until they are committed. */
export interface About {
  readonly output: string;
  readonly jobId: string;
  readonly sourceHash: string;
  readonly fileVersionId: string;
  readonly processedAtMs: number;
  readonly pluginVersion: string;
  readonly columns: readonly TargetColumn[];
}

/** `doing` begins the message of a failure. */
export type Question = { readonly writer: number; readonly doing: string } & (
  | { readonly kind: "open"; readonly path: string; readonly schema: ArrowMessage; readonly columns: readonly TargetColumn[] }
  | { readonly kind: "write"; readonly message: ArrowMessage }
  | { readonly kind: "stage"; readonly about: About }
  | { readonly kind: "abort" }
);

export type Answer =
  | { readonly rows: number }
  | {
      readonly failure: {
        readonly code: string;
        readonly message: string;
        readonly hint: string | undefined;
        readonly data: Readonly<Record<string, unknown>>;
        readonly passes: boolean;
      };
    };

/**
 * The one thread in which all outputs of a process are staged: laying rows out and compressing them takes DuckDB up to half a second at a
 * time, in which nothing else runs on its thread.
 */
export interface StagePool {
  /** A number of its own for each writer. */
  newWriter(): number;
  /** Returns a count of rows: those of a message, or those read back from the disk. What is transferred is gone here. */
  ask(question: Question, transfer?: readonly ArrayBuffer[]): Promise<number>;
  close(): Promise<void>;
}

export function createStagePool(): StagePool {
  let writers = 0;
  const pool = createThreadPool<Question, Answer>({
    program: new URL("./stage-thread.ts", import.meta.url),
    // Only one, because a writer's rows are in the thread that opened it.
    threads: 1,
    lost: (why, cause) => new TransientFailure({ code: "SINK_UNREACHABLE", message: `rows can't be staged in DuckDB: ${why}`, cause }),
    closed: () => new TerminalFailure({ code: "SINK_CLOSED", message: "the DuckDB sink was closed while an output was being written" }),
  });
  return {
    newWriter: () => ++writers,
    async ask(question, transfer = []) {
      const thread = await pool.acquire();
      try {
        const answer = await thread.ask(question, transfer);
        if (!("failure" in answer)) return answer.rows;
        const { passes, ...failure } = answer.failure;
        throw passes ? new TransientFailure(failure) : new TerminalFailure(failure);
      } finally {
        thread.release();
      }
    },
    close: pool.close,
  };
}
