import { jobStates, type JobState } from "../domain/job-state.ts";
import type { Queryable } from "./pool.ts";

/** How many jobs are in each state, zeros included; of some sources or of all. */
export async function countJobs(db: Queryable, sourceIds: readonly string[] | null = null): Promise<Readonly<Record<JobState, number>>> {
  const { rows } = await db.query<{ state: JobState; count: number }>(
    `select j.state, count(*)::int as count from cf_processing_job j
     where $1::bigint[] is null or exists (
       select from cf_file_version v join cf_file_location l on l.id = v.location_id
       where v.id = j.file_version_id and l.source_id = any ($1))
     group by j.state`,
    [sourceIds],
  );
  const counts = Object.fromEntries(jobStates.map((state) => [state, 0])) as Record<JobState, number>;
  for (const row of rows) counts[row.state] = row.count;
  return counts;
}

export interface OutboxCount {
  /** Versions that still have to be planned. */
  readonly waiting: number;
  /** Of these, the ones whose workflow nobody has asked for yet. */
  readonly unstarted: number;
  readonly oldestAt: Date | null;
}

export async function countOutbox(db: Queryable, sourceIds: readonly string[] | null = null): Promise<OutboxCount> {
  const { rows } = await db.query<OutboxCount>(
    `select count(*)::int as waiting, count(*) filter (where o.started_at is null)::int as unstarted, min(o.requested_at) as "oldestAt"
     from cf_outbox o
     where $1::bigint[] is null or exists (
       select from cf_file_version v join cf_file_location l on l.id = v.location_id
       where v.id = o.file_version_id and l.source_id = any ($1))`,
    [sourceIds],
  );
  return rows[0]!;
}

export interface SourceOverview {
  readonly id: string;
  readonly name: string;
  /** The root folder, absolute. */
  readonly path: string;
  readonly state: "ACTIVE" | "PAUSED";
  readonly settleMs: number;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly everyMs: number | null;
  readonly cron: string | null;
  readonly jitterMs: number;
  readonly priority: number;
  readonly workerGroup: string | null;
  readonly filesPresent: number;
  readonly filesVanished: number;
  /** Files that were seen and have not settled or could not be hashed yet. */
  readonly filesWaiting: number;
  readonly findings: number;
  readonly lastScan: ScanSummary | null;
}

export interface ScanSummary {
  readonly id: string;
  readonly state: "RUNNING" | "COMPLETED" | "FAILED" | "CANCELLED";
  /** ISO 8601. */
  readonly startedAt: string;
  /** ISO 8601. */
  readonly finishedAt: string | null;
  readonly filesSeen: number;
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesVanished: number;
  readonly filesWaiting: number;
  /** Left out by the source's limits of size and age. */
  readonly filesLeftOut: number;
  readonly message: string | null;
}

/** The sources in use with what is known of them, by name. */
export async function sourceOverviews(db: Queryable): Promise<readonly SourceOverview[]> {
  const { rows } = await db.query<SourceOverview>(
    `select s.id, s.name, s.path, s.state, s.settle_ms as "settleMs", s.include, s.exclude,
       s.every_ms::float8 as "everyMs", s.cron, s.jitter_ms::float8 as "jitterMs", s.priority, s.worker_group as "workerGroup",
       coalesce(files.present, 0) as "filesPresent", coalesce(files.vanished, 0) as "filesVanished",
       (select count(*)::int from cf_scan_pending p where p.source_id = s.id) as "filesWaiting",
       (select count(*)::int from cf_scan_finding f where f.source_id = s.id) as findings,
       (select jsonb_build_object('id', c.id::text, 'state', c.state, 'startedAt', ${iso("c.started_at")}, 'finishedAt', ${iso("c.finished_at")},
          'filesSeen', c.files_seen, 'filesNew', c.files_new, 'filesChanged', c.files_changed, 'filesVanished', c.files_vanished,
          'filesWaiting', c.files_waiting, 'filesLeftOut', c.files_left_out, 'message', c.message)
        from cf_scan c where c.source_id = s.id order by c.id desc limit 1) as "lastScan"
     from cf_source_root s
     left join (
       select source_id, count(*) filter (where state = 'PRESENT')::int as present, count(*) filter (where state = 'VANISHED')::int as vanished
       from cf_file_location group by source_id) as files on files.source_id = s.id
     where s.state <> 'REMOVED' order by s.name`,
  );
  return rows;
}

function iso(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

export interface FindingRow {
  readonly source: string;
  readonly path: string;
  readonly kind: string;
  readonly message: string;
  readonly firstSeenAt: Date;
}

/** What the scans could not take, the oldest first. */
export async function listFindings(db: Queryable, limit: number): Promise<readonly FindingRow[]> {
  const { rows } = await db.query<FindingRow>(
    `select s.name as source, f.rel_path as path, f.kind, f.message, f.first_seen_at as "firstSeenAt"
     from cf_scan_finding f join cf_source_root s on s.id = f.source_id and s.state <> 'REMOVED'
     order by f.first_seen_at, s.name, f.rel_path limit $1`,
    [limit],
  );
  return rows;
}

/** What the scans of a source found since an earlier one, taken together. */
export interface ScanTotals {
  /** Of the last scan; null where there was none since. */
  readonly state: ScanSummary["state"] | null;
  readonly message: string | null;
  /** Of the scan that saw the most: one that followed a hint looks at a few paths only. */
  readonly filesSeen: number;
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesVanished: number;
  /** Of the scan that left out the most, by the source's limits. */
  readonly filesLeftOut: number;
}

/** The scans of a source after the one with this id. */
export async function totalScans(db: Queryable, sourceId: string, afterScanId: string): Promise<ScanTotals> {
  const { rows } = await db.query<ScanTotals>(
    `select (array_agg(state order by id desc))[1] as state, (array_agg(message order by id desc))[1] as message,
       coalesce(max(files_seen), 0)::float8 as "filesSeen", coalesce(sum(files_new), 0)::float8 as "filesNew",
       coalesce(sum(files_changed), 0)::float8 as "filesChanged", coalesce(sum(files_vanished), 0)::float8 as "filesVanished",
       coalesce(max(files_left_out), 0)::float8 as "filesLeftOut"
     from cf_scan where source_id = $1 and id > $2`,
    [sourceId, afterScanId],
  );
  return rows[0]!;
}

/** The last scan of the source that has ended; `0` before the first one. */
export async function lastEndedScan(db: Queryable, sourceId: string): Promise<string> {
  const { rows } = await db.query<{ id: string }>(
    "select coalesce(max(id), 0) as id from cf_scan where source_id = $1 and state <> 'RUNNING'",
    [sourceId],
  );
  return rows[0]!.id;
}

/** What is still to be done for the files of some sources, and what was done since a moment. */
export interface WorkCount {
  /** Files that have not settled or were not hashed yet. */
  readonly unsettled: number;
  /** Versions that wait to be planned. */
  readonly unplanned: number;
  readonly queued: number;
  readonly running: number;
  readonly held: number;
  /** Jobs that ended since, by how. */
  readonly ended: Readonly<Partial<Record<JobState, number>>>;
}

export async function countWork(db: Queryable, sourceIds: readonly string[], since: Date): Promise<WorkCount> {
  const { rows } = await db.query<{ unsettled: number; unplanned: number; jobs: Partial<Record<JobState, number>> }>(
    `select
       (select count(*)::int from cf_scan_pending where source_id = any ($1)) as unsettled,
       (select count(*)::int from cf_outbox o join cf_file_version v on v.id = o.file_version_id
        join cf_file_location l on l.id = v.location_id where l.source_id = any ($1)) as unplanned,
       (select coalesce(jsonb_object_agg(state, n), '{}') from (
          select j.state, count(*) as n
          from cf_processing_job j join cf_file_version v on v.id = j.file_version_id join cf_file_location l on l.id = v.location_id
          where l.source_id = any ($1) and (j.state in ('QUEUED', 'RUNNING', 'HELD') or j.finished_at >= $2)
          group by j.state) as counted) as jobs`,
    [sourceIds, since],
  );
  const { unsettled, unplanned, jobs } = rows[0]!;
  const { QUEUED: queued = 0, RUNNING: running = 0, HELD: held = 0, ...ended } = jobs;
  return { unsettled, unplanned, queued, running, held, ended };
}

/** The newest failures of each plugin: how many, and the last one's code and message. */
export async function failuresByPlugin(db: Queryable): Promise<
  readonly {
    readonly plugin: string;
    readonly failed: number;
    readonly jobId: string;
    readonly code: string | null;
    readonly message: string | null;
  }[]
> {
  const { rows } = await db.query<{ plugin: string; failed: number; jobId: string; code: string | null; message: string | null }>(
    `select distinct on (plugin_name) plugin_name as plugin, count(*) over (partition by plugin_name)::int as failed, id as "jobId",
       error_code as code, error_message as message
     from cf_processing_job where state = 'FAILED' order by plugin_name, cf_processing_job.id desc`,
  );
  return rows;
}

/** The server's clock, by which everything in the record is dated. */
export async function serverTime(db: Queryable): Promise<Date> {
  const { rows } = await db.query<{ now: Date }>("select clock_timestamp() as now");
  return rows[0]!.now;
}
