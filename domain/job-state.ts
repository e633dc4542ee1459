/**
 * The states of a job, and which may follow which. The same table is a trigger in the record
 * (`db/migrations/0001_record.sql`), so that an illegal transition cannot be stored; a test compares the two.
 *
 * `QUEUED` waits; `RUNNING` has an attempt under way; `COMPLETED` and `PARTIAL` have a visible result (`PARTIAL`: some rows
 * are in quarantine); `FAILED` and `CANCELLED` have none and may be retried; `SUPERSEDED`: the file changed before or
 * while it was read; `SKIPPED`: the same artifact has materialised this version already; `HELD`: the plugin's breaker is open.
 */
export const jobStates = ["QUEUED", "RUNNING", "COMPLETED", "PARTIAL", "FAILED", "CANCELLED", "SUPERSEDED", "SKIPPED", "HELD"] as const;

export type JobState = (typeof jobStates)[number];

export const jobTransitions: Readonly<Record<JobState, readonly JobState[]>> = {
  QUEUED: ["RUNNING", "FAILED", "CANCELLED", "SUPERSEDED", "SKIPPED", "HELD"],
  RUNNING: ["QUEUED", "COMPLETED", "PARTIAL", "FAILED", "CANCELLED", "SUPERSEDED"],
  COMPLETED: [],
  PARTIAL: [],
  FAILED: ["QUEUED"],
  CANCELLED: ["QUEUED"],
  SUPERSEDED: ["QUEUED"],
  SKIPPED: [],
  HELD: ["QUEUED", "CANCELLED"],
};

/** States in which a job will change no more unless a person asks for it. */
export const endedJobStates = [
  "COMPLETED",
  "PARTIAL",
  "FAILED",
  "CANCELLED",
  "SUPERSEDED",
  "SKIPPED",
] as const satisfies readonly JobState[];
