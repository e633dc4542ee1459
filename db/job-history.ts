import type { JobState } from "../domain/job-state.ts";
import type { PluginState } from "../domain/plugin.ts";
import type { LedgerEntry } from "./job-output.ts";
import type { AttemptOutcome } from "./job.ts";
import type { LogEntry } from "./job-log.ts";
import type { Queryable } from "./pool.ts";

/** A job with the file version that it reads and the artifact that it runs. */
export interface JobRow {
  readonly id: string;
  readonly state: JobState;
  readonly plugin: string;
  readonly pluginVersion: string;
  readonly pluginId: string;
  readonly pluginState: PluginState;
  readonly artifactHash: string;
  readonly environmentHash: string;
  readonly source: string;
  readonly sourceId: string;
  /** Below the source's root. */
  readonly path: string;
  readonly fileVersionId: string;
  readonly sequence: number;
  readonly contentHash: string;
  /** The job whose rows in quarantine it replays; null for one that runs the plugin. */
  readonly replayOf: string | null;
  readonly priority: number;
  readonly attempt: number;
  readonly queuedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  /** Rows that readers can see; 0 before the commit. */
  readonly rowsCommitted: number;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly errorHint: string | null;
}

export interface JobFilter {
  readonly states?: readonly JobState[] | undefined;
  readonly plugin?: string | undefined;
  readonly sourceIds?: readonly string[] | undefined;
  readonly ids?: readonly string[] | undefined;
  readonly fileVersionIds?: readonly string[] | undefined;
  /** Only replays of these jobs. */
  readonly replayOf?: readonly string[] | undefined;
  /** Only jobs that ended since then. */
  readonly finishedSince?: Date | undefined;
  /** Only jobs before this one, for the next page. */
  readonly beforeId?: string | undefined;
  readonly limit: number;
}

/** Jobs that fit the filter, newest first. */
export async function listJobs(db: Queryable, filter: JobFilter): Promise<readonly JobRow[]> {
  const { rows } = await db.query<JobRow>(
    `select j.id, j.state, j.plugin_name as plugin, p.version as "pluginVersion", p.id as "pluginId", p.state as "pluginState",
       p.artifact_hash as "artifactHash", p.environment_hash as "environmentHash",
       s.name as source, s.id as "sourceId", l.rel_path as path, v.id as "fileVersionId", v.sequence, v.content_hash as "contentHash",
       j.replay_of as "replayOf", j.priority, j.attempt, j.queued_at as "queuedAt", j.started_at as "startedAt", j.finished_at as "finishedAt",
       coalesce((select sum(o.rows_written) from cf_job_output o where o.job_id = j.id and o.state = 'COMMITTED'), 0)::float8 as "rowsCommitted",
       j.error_code as "errorCode", j.error_message as "errorMessage", j.error_hint as "errorHint"
     from cf_processing_job j
     join cf_plugin_manifest p on p.id = j.plugin_id
     join cf_file_version v on v.id = j.file_version_id
     join cf_file_location l on l.id = v.location_id
     join cf_source_root s on s.id = l.source_id
     where ($1::text[] is null or j.state = any ($1)) and ($2::text is null or j.plugin_name = $2)
       and ($3::bigint[] is null or s.id = any ($3)) and ($4::bigint[] is null or j.id = any ($4))
       and ($5::bigint[] is null or j.file_version_id = any ($5)) and ($6::timestamptz is null or j.finished_at >= $6)
       and ($7::bigint is null or j.id < $7) and ($9::bigint[] is null or j.replay_of = any ($9))
     order by j.id desc limit $8`,
    [
      filter.states ?? null,
      filter.plugin ?? null,
      filter.sourceIds ?? null,
      filter.ids ?? null,
      filter.fileVersionIds ?? null,
      filter.finishedSince ?? null,
      filter.beforeId ?? null,
      filter.limit,
      filter.replayOf ?? null,
    ],
  );
  return rows;
}

export interface AttemptRow {
  readonly attempt: number;
  /** The process that ran it, as it names itself. */
  readonly worker: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  /** Null while it runs. */
  readonly outcome: AttemptOutcome | null;
  readonly peakMemoryBytes: number | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
}

/** A job's attempts, the first one first. */
export async function attemptsOf(db: Queryable, jobId: string): Promise<readonly AttemptRow[]> {
  const { rows } = await db.query<AttemptRow>(
    `select attempt, worker, started_at as "startedAt", finished_at as "finishedAt", outcome, peak_memory_bytes::float8 as "peakMemoryBytes",
       error_code as "errorCode", error_message as "errorMessage"
     from cf_job_attempt where job_id = $1 order by attempt`,
    [jobId],
  );
  return rows;
}

/** One line of the ledger, as people read it. */
export interface OutputRow extends Omit<LedgerEntry, "staged"> {
  readonly jobId: string;
  readonly attempt: number;
  readonly state: "STAGED" | "COMMITTED" | "DISCARDED";
  /** Also later replayed, if they were. */
  readonly rowsQuarantined: number;
  /** Of these, the ones that have passed a replay since. */
  readonly rowsReplayed: number;
  readonly committedAt: Date | null;
  /** The version of the contract that was in force; null for none. */
  readonly contractVersion: number | null;
  /** Until when readers saw the rows, and the job whose result took their place; null where they still do. */
  readonly replacedAt: Date | null;
  readonly replacedBy: string | null;
}

/** What these jobs' attempts have put out, by job, attempt and name. */
export async function outputsOf(db: Queryable, jobIds: readonly string[]): Promise<readonly OutputRow[]> {
  return selectOutputs(db, "where job_id = any ($1::bigint[]) order by cf_job_output.job_id, attempt, output_name", jobIds);
}

/** The outputs whose rows are in this target, or in a part or a folder of it. */
export async function outputsAt(db: Queryable, target: string): Promise<readonly OutputRow[]> {
  return selectOutputs(
    db,
    "where target = any ($1) or starts_with(target, ($1)[1] || '/') order by cf_job_output.job_id, attempt, output_name",
    [
      target,
      // A result in several parts is a folder: its target is the parent of the file that a reader holds.
      target.replace(/\/[^/]*$/, ""),
    ],
  );
}

async function selectOutputs(db: Queryable, tail: string, values: readonly string[]): Promise<readonly OutputRow[]> {
  const { rows } = await db.query<OutputRow>(
    `select job_id as "jobId", attempt, output_name as output, sink_uri as uri, mode, state, rows_sent::float8 as "rowsSent",
       rows_received::float8 as "rowsReceived", rows_written::float8 as "rowsWritten", rows_quarantined::float8 as "rowsQuarantined",
       rows_read_back::float8 as "rowsReadBack", size_bytes::float8 as "sizeBytes", columns, target, committed_at as "committedAt",
       (select c.version from cf_contract c where c.id = contract_id) as "contractVersion",
       case when rows_quarantined = 0 then 0 else (
         select count(*) from cf_quarantine q join cf_replayed_row r on r.row_id = q.id and r.state = 'COMMITTED' and r.reasons is null
         where q.job_id = cf_job_output.job_id and q.attempt = cf_job_output.attempt and q.output_name = cf_job_output.output_name
       ) end::float8 as "rowsReplayed",
       replaced_at as "replacedAt", replaced_by as "replacedBy"
     from cf_job_output ${tail}`,
    [values],
  );
  return rows;
}

export interface LogRow extends LogEntry {
  readonly attempt: number;
}

/** What a job's plugin wrote, in order: of one attempt, or of all; of one stream, or of all. */
export async function logOf(
  db: Queryable,
  jobId: string,
  filter: { readonly attempt?: number | undefined; readonly stream?: string | undefined },
): Promise<readonly LogRow[]> {
  const { rows } = await db.query<LogRow>(
    `select attempt, stream, logged_at as at, text from cf_job_log
     where job_id = $1 and ($2::int is null or attempt = $2) and ($3::text is null or stream = $3) order by attempt, sequence`,
    [jobId, filter.attempt ?? null, filter.stream ?? null],
  );
  return rows;
}
