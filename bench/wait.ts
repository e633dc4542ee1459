import { setTimeout } from "node:timers/promises";
import type { Database } from "../db/pool.ts";

/** Resolves when so many jobs have completed; throws as soon as one has ended otherwise. */
export async function waitForJobs(db: Database, completed: number): Promise<void> {
  for (;;) {
    const { rows } = await db.query<{ done: number; bad: number; message: string | null }>(
      `select count(*) filter (where state = 'COMPLETED')::int as done,
         count(*) filter (where state in ('FAILED', 'CANCELLED', 'SUPERSEDED'))::int as bad, max(error_message) as message
       from cf_processing_job`,
    );
    const { done, bad, message } = rows[0]!;
    if (bad > 0) throw new Error(`${bad} jobs of the bench did not complete: ${message}`);
    if (done >= completed) return;
    // Asking more often would cost the processor time that is being measured; the times themselves are those in the record.
    await setTimeout(50);
  }
}
