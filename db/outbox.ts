import type { Queryable } from "./pool.ts";

/**
 * `NEW`: a version that was just recorded. `BACKFILL`: an old one, to be routed by the present rules. `RETRY`: jobs of it were queued
 * again. `REPLAY`: a replay has made jobs of it. The first two have the version routed; backfills and replays go behind the others.
 */
export type OutboxReason = "NEW" | "RETRY" | "BACKFILL" | "REPLAY";

/** A version whose workflow is to be started, with what names it to a person. */
export interface OutboxRow {
  readonly fileVersionId: string;
  readonly reason: OutboxReason;
  readonly sourceName: string;
  readonly relPath: string;
  readonly sequence: number;
  /** Its source's. */
  readonly priority: number;
  readonly workerGroup: string | null;
}

/** A workflow that was started plans within a second or so; a row that is still there after this long is started again. Seconds. */
const lostAfterSeconds = 60;

/** SQL: puts versions `v` into the outbox `o`, in the order and for the workers of their sources `s`. Both are in `versions`. */
export function enqueue(reason: OutboxReason, versions: string): string {
  return `insert into cf_outbox as o (file_version_id, reason, priority, worker_group)
     select v.id, '${reason}', s.priority, coalesce(s.worker_group, '') from ${versions}`;
}

/** SQL: versions $1 for `enqueue`. */
export const versionsOnRecord = `cf_file_version v join cf_file_location l on l.id = v.location_id join cf_source_root s on s.id = l.source_id
     where v.id = any ($1::bigint[])`;

/** SQL: puts the versions that the same statement inserts, `version`, all of source $1, into the outbox. */
export const enqueueNew = enqueue("NEW", "version v join cf_source_root s on s.id = $1");

/** Puts versions into the outbox, also those that are in it already: they are dispatched again. */
export async function insertOutbox(db: Queryable, fileVersionIds: readonly string[], reason: OutboxReason): Promise<void> {
  await db.query(
    `${enqueue(reason, versionsOnRecord)}
     on conflict (file_version_id) do update
     set started_at = null, requested_at = now(), priority = excluded.priority, worker_group = excluded.worker_group,
       reason = case when o.reason in ('RETRY', 'REPLAY') then excluded.reason else o.reason end`,
    [fileVersionIds],
  );
}

/** Has the version's workflow started again, for jobs that nobody drives. */
export async function requeueVersion(db: Queryable, fileVersionId: string): Promise<void> {
  await insertOutbox(db, [fileVersionId], "RETRY");
}

/** Removes the version from the outbox, in the transaction that makes its jobs; null where it is not there (any more). */
export async function takeOutboxRow(db: Queryable, fileVersionId: string): Promise<OutboxReason | null> {
  const { rows } = await db.query<{ reason: OutboxReason }>("delete from cf_outbox where file_version_id = $1 returning reason", [
    fileVersionId,
  ]);
  return rows[0]?.reason ?? null;
}

/** Brings the rows of a source's versions up to its settings. */
export async function reorderOutbox(db: Queryable, sourceId: string): Promise<void> {
  await db.query(
    `update cf_outbox o set priority = s.priority, worker_group = coalesce(s.worker_group, '')
     from cf_source_root s join cf_file_location l on l.source_id = s.id join cf_file_version v on v.location_id = l.id
     where s.id = $1 and o.file_version_id = v.id
       and (o.priority, o.worker_group) is distinct from (s.priority, coalesce(s.worker_group, ''))`,
    [sourceId],
  );
}

export interface OutboxClaim {
  readonly limit: number;
  /** No more are started and not planned in this group. */
  readonly startedMax: number;
  /** Those that were started long ago and are still there, instead of those that wait. */
  readonly lost: boolean;
  /** Versions of sources of this group of workers; null for those of any worker. */
  readonly workerGroup: string | null;
}

/**
 * Marks versions as started and returns them: those of the source with the highest priority first, in it those that are new before those
 * of a backfill or replay, in these the longest waiting first. Several dispatchers may claim at once.
 */
export async function claimOutbox(db: Queryable, { limit, startedMax, lost, workerGroup }: OutboxClaim): Promise<readonly OutboxRow[]> {
  const recently = `now() - make_interval(secs => ${lostAfterSeconds})`;
  const order = "priority desc, (reason in ('BACKFILL', 'REPLAY')), requested_at";
  const { rows } = await db.query<OutboxRow>(
    `with started as (
       select count(*) as n from cf_outbox where worker_group = $3 and started_at > ${recently}
     ), due as (
       select file_version_id from cf_outbox where worker_group = $3 and ${lost ? `started_at <= ${recently}` : "started_at is null"}
       order by ${order} limit (select greatest(0, least($1, $2 - n)) from started) for update skip locked
     ), claimed as (
       -- Said again for the planner, which would otherwise read all versions: 25 ms instead of 170 where 300,000 wait.
       update cf_outbox o set started_at = now() from (select * from due limit $1) due where o.file_version_id = due.file_version_id
       returning o.file_version_id, o.reason, o.requested_at, o.priority
     )
     select c.file_version_id as "fileVersionId", c.reason, s.name as "sourceName", l.rel_path as "relPath", v.sequence,
       s.priority, s.worker_group as "workerGroup"
     from claimed c
     join cf_file_version v on v.id = c.file_version_id
     join cf_file_location l on l.id = v.location_id
     join cf_source_root s on s.id = l.source_id
     order by c.priority desc, (c.reason in ('BACKFILL', 'REPLAY')), c.requested_at, c.file_version_id`,
    [limit, startedMax, workerGroup ?? ""],
  );
  return rows;
}

/** Gives back claims whose workflow could not be started. */
export async function releaseOutbox(db: Queryable, fileVersionIds: readonly string[]): Promise<void> {
  await db.query("update cf_outbox set started_at = null where file_version_id = any ($1::bigint[])", [fileVersionIds]);
}
