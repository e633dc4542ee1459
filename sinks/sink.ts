import type { ArrowMessage } from "../domain/arrow.ts";
import type { Lineage } from "../domain/lineage.ts";
import type { SinkMode } from "../domain/topic.ts";

/**
 * The contract of every sink.
 *
 * A writer takes the rows of one output of one attempt of one job. Nothing that it does before `commit` can be seen by a
 * reader of the target. `stage` makes everything durable, reads back what is there, and returns a plain description with
 * which any later process, also on another machine that reaches the target, can `commit` or `discard`.
 *
 * Invariant: `commit` may be called any number of times, at once or one after the other, and has the effect of one.
 * Invariant: `discard` after a `commit` changes nothing; `discard` removes every trace otherwise, and may be repeated.
 * Invariant: rows that a reader finds are those of whole results. Where a result takes the place of others, a reader finds either
 * those or the new one, never both and never none; of a result of many files, a reader who has listed those finds none of them any more.
 *
 * Failures: TransientFailure where the target can't be reached; TerminalFailure, in the target's own words, where it refuses.
 */
export interface Sink {
  /** Throws TerminalFailure for a column that it can't keep exactly, by name, before any row is taken. */
  open(request: OpenRequest): Promise<SinkWriter>;
  /**
   * Makes the rows visible in the place of those of `replaced`, results that were committed to the same target before: none with mode
   * `append` and `error`. With `overwrite`, the target holds nothing else afterwards.
   */
  commit(staged: StagedOutput, replaced?: readonly StagedOutput[]): Promise<void>;
  discard(staged: StagedOutput): Promise<void>;
  /** Whether the rows are visible: committed, and not replaced since. */
  isCommitted(staged: StagedOutput): Promise<boolean>;
  /**
   * Removes from the target of a URI what attempts that were killed have left staged, and returns what was removed. `isAlive` says
   * whether an attempt may still commit what it staged.
   */
  sweep(uri: string, isAlive: (jobId: string, attempt: number) => Promise<boolean>): Promise<readonly string[]>;
}

export interface OpenRequest {
  readonly uri: string;
  readonly mode: SinkMode;
  readonly output: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly pluginName: string;
  /** The file, whichever of its versions; with mode `replace` there is one result of it for each plugin and output. */
  readonly locationId: string;
  /** Distinguishes the result of one artifact from another's in the target, hex. */
  readonly artifactHash: string;
  /**
   * That it joins a result of the same (version, artifact, output), which stays: rows that were set aside then. It is a result of its own beside
   * that one, told apart from others that join it by `jobId`. Its mode is `append`, whatever the other's was.
   */
  readonly isJoining?: boolean | undefined;
  /** The file's path below its source's root; sinks of files use its name. */
  readonly relPath: string;
  readonly lineage: Lineage;
  /** The Arrow schema message of the output. */
  readonly schema: ArrowMessage;
}

export interface SinkWriter {
  /** Takes one dictionary or batch; resolves when the next one may come, which is how a slow target slows the plugin. */
  write(message: ArrowMessage): Promise<void>;
  stage(): Promise<StagedOutput>;
  /** Ends the writer without a result and removes what it staged. Safe at any time. */
  abort(): Promise<void>;
}

/** Plain JSON. */
export interface StagedOutput {
  /** By which the target is on record, whatever else the topic's URI asks for. */
  readonly uri: string;
  readonly mode: SinkMode;
  readonly output: string;
  readonly rowsWritten: number;
  /** Counted from the target, not from memory. */
  readonly rowsReadBack: number;
  readonly sizeBytes: number;
  /** The plugin's columns, then the lineage columns, with Arrow type names. */
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];
  /** In the sink's own terms. */
  readonly staged: Readonly<Record<string, string | number>>;
  /** Where a reader finds the rows after `commit`. */
  readonly target: string;
}
