import { transaction, type Database, type Queryable } from "./pool.ts";

export const runEventKinds = ["START", "COMPLETE", "FAIL", "ABORT"] as const;

export type RunEventKind = (typeof runEventKinds)[number];

/** That an attempt of a job began or ended, as `cf_run_event` and its outbox have it. */
export interface RunEvent {
  readonly jobId: string;
  /** Null where the job ended before an attempt began. */
  readonly attempt: number | null;
  readonly kind: RunEventKind;
  readonly occurredAt: Date;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
}

/** One that waits to be sent. */
export interface WaitingRunEvent extends RunEvent {
  readonly id: string;
}

const columns = `job_id as "jobId", attempt, kind, occurred_at as "occurredAt", error_code as "errorCode", error_message as "errorMessage"`;

/**
 * Those that wait, in the order in which they became true for each run: what began a run is on record before what ends it. One with a lower id
 * may appear later, when its transaction ends; it is of another run.
 */
export async function waitingRunEvents(db: Queryable, limit: number): Promise<readonly WaitingRunEvent[]> {
  const { rows } = await db.query<WaitingRunEvent>(
    `select id, ${columns} from cf_run_event_outbox where refused_at is null order by id limit $1`,
    [limit],
  );
  return rows;
}

export interface RunEventFilter {
  readonly since: Date;
  readonly until?: Date | undefined;
  readonly jobId?: string | undefined;
}

/** Rows that a reader of many takes at once. */
const pageRows = 500;

/** Everything on record that fits the filter, by time, page by page, as it was at one moment, until `take` wants no more. */
export async function readRunEvents(
  db: Database,
  { since, until, jobId }: RunEventFilter,
  take: (tx: Queryable, page: readonly RunEvent[]) => Promise<boolean>,
): Promise<void> {
  await transaction(db, async (tx) => {
    await tx.query("set transaction isolation level repeatable read, read only");
    await tx.query(
      `declare run_events no scroll cursor for
       select ${columns} from cf_run_event
       where occurred_at >= $1 and ($2::timestamptz is null or occurred_at < $2) and ($3::bigint is null or job_id = $3)
       order by occurred_at, job_id, attempt, kind <> 'START'`,
      [since, until ?? null, jobId ?? null],
    );
    for (;;) {
      const { rows } = await tx.query<RunEvent>(`fetch ${pageRows} from run_events`);
      if (rows.length === 0 || !(await take(tx, rows))) return;
    }
  });
}

/** What an event tells of a run beside the event itself: what was read, what ran, what was committed. */
export interface RunFacts {
  readonly jobId: string;
  readonly attempt: number | null;
  /** Null where no attempt began. */
  readonly startedAt: Date | null;
  readonly plugin: string;
  readonly pluginVersion: string;
  readonly pluginDescription: string | null;
  readonly artifactHash: string;
  readonly sourceCode: string;
  readonly source: string;
  /** The source's folder, absolute. */
  readonly root: string;
  readonly path: string;
  readonly fileVersionId: string;
  readonly contentHash: string;
  readonly sizeBytes: number;
  /** Below the source's folder; null where the file is no member of one. */
  readonly archivePath: string | null;
  /** Committed by this attempt, and seen by readers at least for a moment. */
  readonly outputs: readonly RunOutput[];
}

export interface RunOutput {
  readonly output: string;
  readonly uri: string;
  readonly mode: string;
  readonly target: string;
  readonly rows: number;
  readonly bytes: number;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly nullable: boolean }[];
}

/** The facts of each run, in any order. The source code is left out (empty) unless asked for. */
export async function factsOfRuns(
  db: Queryable,
  runs: readonly { readonly jobId: string; readonly attempt: number | null }[],
  options: { readonly sourceCode: boolean },
): Promise<readonly RunFacts[]> {
  const { rows } = await db.query<RunFacts>(
    `select r.job_id as "jobId", r.attempt, a.started_at as "startedAt", j.plugin_name as plugin, p.version as "pluginVersion",
       p.manifest->>'description' as "pluginDescription", p.artifact_hash as "artifactHash",
       case when $3 then p.source_code else '' end as "sourceCode", s.name as source, s.path as root, l.rel_path as path,
       v.id as "fileVersionId", v.content_hash as "contentHash", v.size_bytes::float8 as "sizeBytes", archive.rel_path as "archivePath",
       coalesce((
         select jsonb_agg(jsonb_build_object('output', o.output_name, 'uri', o.sink_uri, 'mode', o.mode, 'target', o.target,
           'rows', o.rows_written, 'bytes', o.size_bytes, 'columns', o.columns) order by o.output_name)
         from cf_job_output o
         where o.job_id = r.job_id and o.attempt = r.attempt and o.state = 'COMMITTED'
           and (o.replaced_at is null or o.replaced_at > o.committed_at)), '[]') as outputs
     from (select distinct * from unnest($1::bigint[], $2::int[]) as wanted (job_id, attempt)) r
     join cf_processing_job j on j.id = r.job_id
     join cf_plugin_manifest p on p.id = j.plugin_id
     join cf_file_version v on v.id = j.file_version_id
     join cf_file_location l on l.id = v.location_id
     join cf_source_root s on s.id = l.source_id
     left join cf_file_location archive on archive.id = l.container_id
     left join cf_job_attempt a on a.job_id = r.job_id and a.attempt = r.attempt`,
    [runs.map((run) => run.jobId), runs.map((run) => run.attempt), options.sourceCode],
  );
  return rows;
}

/** What tells this record from every other one. */
export async function recordId(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ id: string }>("select id from cf_record");
  return rows[0]!.id;
}
