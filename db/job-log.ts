import type { Queryable } from "./pool.ts";

/** A piece of what a plugin wrote, in order of arrival. */
export interface LogEntry {
  readonly stream: "stdout" | "stderr" | "log" | "traceback" | "notice";
  readonly at: Date;
  readonly text: string;
}

/** Replaces the log of an attempt. */
export async function saveLog(db: Queryable, jobId: string, attempt: number, entries: readonly LogEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await db.query(
    `insert into cf_job_log (job_id, attempt, sequence, stream, logged_at, text)
     select $1, $2, ordinality, stream, logged_at, text
     from unnest($3::text[], $4::timestamptz[], $5::text[]) with ordinality as entry (stream, logged_at, text, ordinality)
     on conflict (job_id, attempt, sequence) do update set stream = excluded.stream, logged_at = excluded.logged_at, text = excluded.text`,
    [jobId, attempt, entries.map((e) => e.stream), entries.map((e) => e.at), entries.map((e) => e.text)],
  );
}
