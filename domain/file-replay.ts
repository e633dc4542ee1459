/** `STOPPED` by a person, or because its plugin was rejected; `COMPLETED`: every version had its turn, and all jobs have ended. */
export type FileReplayState = "RUNNING" | "STOPPED" | "COMPLETED";

/** How far a replay is. */
export interface FileReplayProgress {
  readonly state: FileReplayState;
  /** Jobs that it was to have when it was asked for. */
  readonly expected: number;
  readonly handedOut: number;
  /** Versions that had a result of the artifact already. */
  readonly skipped: number;
  /** Jobs that have not ended. */
  readonly open: number;
}

/** Whether a version that has a job in this state, by the artifact that is asked for, gets no other one: its result stands. */
export function hasResult(jobState: string | null): boolean {
  return jobState === "COMPLETED" || jobState === "PARTIAL" || jobState === "SKIPPED";
}
