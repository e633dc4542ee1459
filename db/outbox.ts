import type { Queryable } from "./pool.ts";

/**
 * `NEW`: a version that was just recorded. `BACKFILL`: an old one, to be routed by the present rules. `RETRY`: jobs of it were queued
 * again. The first two have the version routed.
 */
export type OutboxReason = "NEW" | "RETRY" | "BACKFILL";

/** A version whose workflow is to be started, with what names it to a person. */
export interface OutboxRow {
  readonly fileVersionId: string;
  readonly reason: OutboxReason;
  readonly sourceName: string;
  readonly relPath: string;
  readonly sequence: number;
}

/** A workflow that was started plans within a second or so; a row that is still there after this long is started again. Seconds. */
const lostAfterSeconds = 60;

/** Puts versions into the outbox, also those that are in it already: they are dispatched again. */
export async function insertOutbox(db: Queryable, fileVersionIds: readonly string[], reason: OutboxReason): Promise<void> {
  await db.query(
    `insert into cf_outbox as o (file_version_id, reason) select distinct unnest($1::bigint[]), $2
     on conflict (file_version_id) do update
     set started_at = null, requested_at = now(), reason = case when o.reason = 'RETRY' then excluded.reason else o.reason end`,
    [fileVersionIds, reason],
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

/**
 * Marks waiting versions as started and returns them, the longest waiting first: at most `limit`, and no more than leaves `startedMax`
 * started and not planned. With `lost`, those that were started long ago and are still there instead. Several dispatchers may claim at
 * once.
 */
export async function claimOutbox(
  db: Queryable,
  options: { readonly limit: number; readonly startedMax: number; readonly lost: boolean },
): Promise<readonly OutboxRow[]> {
  const recently = `now() - make_interval(secs => ${lostAfterSeconds})`;
  const { rows } = await db.query<OutboxRow>(
    `with started as (
       select count(*) as n from cf_outbox where started_at > ${recently}
     ), due as (
       select file_version_id from cf_outbox where ${options.lost ? `started_at <= ${recently}` : "started_at is null"}
       order by requested_at limit (select greatest(0, least($1, $2 - n)) from started) for update skip locked
     ), claimed as (
       update cf_outbox o set started_at = now() from due where o.file_version_id = due.file_version_id
       returning o.file_version_id, o.reason, o.requested_at
     )
     select c.file_version_id as "fileVersionId", c.reason, s.name as "sourceName", l.rel_path as "relPath", v.sequence
     from claimed c
     join cf_file_version v on v.id = c.file_version_id
     join cf_file_location l on l.id = v.location_id
     join cf_source_root s on s.id = l.source_id
     order by c.requested_at, c.file_version_id`,
    [options.limit, options.startedMax],
  );
  return rows;
}

/** Gives back claims whose workflow could not be started. */
export async function releaseOutbox(db: Queryable, fileVersionIds: readonly string[]): Promise<void> {
  await db.query("update cf_outbox set started_at = null where file_version_id = any ($1::bigint[])", [fileVersionIds]);
}
