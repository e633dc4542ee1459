import type { JobError } from "../domain/job-error.ts";
import type { JobState } from "../domain/job-state.ts";
import { prepared, type Queryable } from "./pool.ts";

/** A job as the worker needs it to run it. */
export interface JobToRun {
  readonly id: string;
  readonly fileVersionId: string;
  readonly pluginId: string;
  readonly pluginName: string;
  readonly relPath: string;
  readonly state: JobState;
  readonly attempt: number;
  /** True where the present attempt has staged everything, so that only the commit is left. */
  readonly staged: boolean;
  readonly environmentHash: string;
  /** Of its artifact, as it is by now; null where nobody has signed it. */
  readonly pluginSignature: string | null;
  /** Why its artifact was rejected since; null where it was not. */
  readonly pluginRejected: string | null;
  /** The job whose rows in quarantine it replays; null for one that runs the plugin. */
  readonly replayOf: string | null;
}

/** Makes a job for each plugin that has none for this version yet; a second call makes none. */
export async function insertJobs(
  db: Queryable,
  fileVersionId: string,
  plugins: readonly { readonly pluginId: string; readonly pluginName: string; readonly priority: number }[],
): Promise<void> {
  await db.query(
    prepared(
      `insert into cf_processing_job (file_version_id, plugin_id, plugin_name, priority)
     select $1, plugin_id, plugin_name, priority
     from unnest($2::bigint[], $3::text[], $4::int[]) as planned (plugin_id, plugin_name, priority)
     on conflict (file_version_id, plugin_id) where replay_of is null do nothing`,
      [fileVersionId, plugins.map((p) => p.pluginId), plugins.map((p) => p.pluginName), plugins.map((p) => p.priority)],
    ),
  );
}

/** The version's jobs that have not ended, most urgent first. */
export async function jobsToRun(db: Queryable, fileVersionId: string): Promise<readonly JobToRun[]> {
  return selectJobs(db, `where j.file_version_id = $1 and j.state in ('QUEUED', 'RUNNING') order by j.priority desc, j.id`, fileVersionId);
}

/** Locks the job for the rest of the transaction. */
export async function lockJob(db: Queryable, jobId: string): Promise<JobToRun | null> {
  const [job] = await selectJobs(db, "where j.id = $1 for update of j", jobId);
  return job ?? null;
}

async function selectJobs(db: Queryable, tail: string, id: string): Promise<readonly JobToRun[]> {
  const { rows } = await db.query<JobToRun>(
    prepared(
      `select j.id, j.file_version_id as "fileVersionId", j.plugin_id as "pluginId", j.plugin_name as "pluginName", j.state, j.attempt,
       l.rel_path as "relPath", coalesce(a.outcome = 'STAGED', false) as staged, p.environment_hash as "environmentHash",
       p.signature as "pluginSignature", p.rejected_reason as "pluginRejected", j.replay_of as "replayOf"
     from cf_processing_job j
     join cf_plugin_manifest p on p.id = j.plugin_id
     join cf_file_version v on v.id = j.file_version_id
     join cf_file_location l on l.id = v.location_id
     left join cf_job_attempt a on a.job_id = j.id and a.attempt = j.attempt ${tail}`,
      [id],
    ),
  );
  return rows;
}

/** Begins the next attempt of a job, and ends the one before it as lost where it never ended. Returns the attempt's number, from 1. */
export async function beginAttempt(db: Queryable, jobId: string, worker: string): Promise<number> {
  const { rows } = await db.query<{ attempt: number }>(
    prepared(
      `with job as (
       update cf_processing_job
       set state = 'RUNNING', attempt = attempt + 1, started_at = coalesce(started_at, now()), finished_at = null,
         error_code = null, error_message = null, error_hint = null
       where id = $1 returning id, attempt
     ), lost as (
       update cf_job_attempt set outcome = 'LOST', finished_at = now() where job_id = $1 and outcome is null
     )
     insert into cf_job_attempt (job_id, attempt, worker) select id, attempt, $2 from job returning attempt`,
      [jobId, worker],
    ),
  );
  return rows[0]!.attempt;
}

export type AttemptOutcome = "STAGED" | "COMMITTED" | "FAILED" | "CANCELLED" | "SUPERSEDED" | "LOST";

export interface AttemptEnd {
  readonly outcome: AttemptOutcome;
  readonly peakMemoryBytes?: number | undefined;
  readonly errorCode?: string | undefined;
  readonly errorMessage?: string | undefined;
}

/** Ends an attempt. One that had ended before is told to have ended in another way, at the same time. */
export async function endAttempt(db: Queryable, jobId: string, attempt: number, end: AttemptEnd): Promise<void> {
  await db.query(
    `update cf_job_attempt
     set outcome = $3, finished_at = case when coalesce(outcome, 'STAGED') = 'STAGED' then now() else finished_at end,
       peak_memory_bytes = coalesce($4, peak_memory_bytes), error_code = $5, error_message = $6
     where job_id = $1 and attempt = $2`,
    [jobId, attempt, end.outcome, end.peakMemoryBytes ?? null, end.errorCode ?? null, end.errorMessage ?? null],
  );
}

/** Moves a job to a state; the record refuses an illegal move. */
export async function setJobState(db: Queryable, jobId: string, state: JobState, error?: JobError): Promise<void> {
  await db.query(
    `update cf_processing_job
     set state = $2, error_code = $3, error_message = $4, error_hint = $5,
       finished_at = case when $2 in ('QUEUED', 'RUNNING', 'HELD') then null else now() end
     where id = $1`,
    [jobId, state, error?.code ?? null, error?.message ?? null, error?.hint ?? null],
  );
}

/** Versions with jobs that have not ended, have not moved for so many seconds, and do not wait in the outbox. At most 200. */
export async function quietVersions(db: Queryable, seconds: number): Promise<readonly string[]> {
  const { rows } = await db.query<{ id: string }>(
    `select distinct j.file_version_id as id
     from cf_processing_job j left join cf_job_attempt a on a.job_id = j.id and a.attempt = j.attempt
     where j.state in ('QUEUED', 'RUNNING')
       and greatest(j.queued_at, j.started_at, a.started_at, a.finished_at) < now() - make_interval(secs => $1)
       and not exists (select from cf_outbox o where o.file_version_id = j.file_version_id)
     limit 200`,
    [seconds],
  );
  return rows.map((row) => row.id);
}

/** True while this attempt may still have something staged: it is the job's present one and has not come to a bad end. */
export async function isAttemptAlive(db: Queryable, jobId: string, attempt: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from cf_processing_job j join cf_job_attempt a on a.job_id = j.id and a.attempt = j.attempt
     where j.id = $1 and j.attempt = $2 and j.state = 'RUNNING' and coalesce(a.outcome, 'STAGED') = 'STAGED'`,
    [jobId, attempt],
  );
  return rowCount === 1;
}

/** Every place to which results go or went: configured topics, and targets in the ledger. */
export async function sinkUris(db: Queryable): Promise<readonly string[]> {
  const { rows } = await db.query<{ uri: string }>("select uri from cf_topic union select sink_uri from cf_job_output");
  return rows.map((row) => row.uri);
}
