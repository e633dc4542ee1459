import type { Queryable } from "./pool.ts";
import { settlesInMs, type SettleClock } from "./scan-pending.ts";

/** Scans kept on record for each source; a scan for each hint of a watcher would fill the record otherwise. */
const keptScans = 1_000;

/**
 * A statement with this among its results commits without waiting for the disk. What a scan notes for itself need not survive a
 * crash of the database, because the next scan notes it again.
 */
const unhurried = "set_config('synchronous_commit', 'off', true)";

const lockKey = "hashtextextended('casparian scan', $1::bigint)";

/**
 * Takes the lock on a source's scanning for this connection, until it ends or `completeScan`, and begins a scan on record. Returns
 * the scan's id; null where another connection has the lock. The scan before, where it never ended, is ended: whoever has the lock
 * is alone.
 */
export async function beginScan(db: Queryable, sourceId: string): Promise<string | null> {
  const { rows } = await db.query<{ id: string }>(
    `with lock as materialized (
       select pg_try_advisory_lock(${lockKey}) as taken
     ), dead as (
       update cf_scan set state = 'FAILED', finished_at = now(), message = 'its process ended midway; the next scan took its work up'
       from lock where taken and id = (select max(id) from cf_scan where source_id = $1) and state = 'RUNNING'
     )
     insert into cf_scan (source_id) select $1 from lock where taken returning id, ${unhurried}`,
    [sourceId],
  );
  return rows[0]?.id ?? null;
}

export interface ScanCounts {
  readonly filesSeen: number;
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesVanished: number;
  readonly filesLeftOut: number;
}

/** Where a source stands after a scan. */
export interface SourceStanding {
  /** Files that have not settled. */
  readonly filesWaiting: number;
  /** Until the first of them may settle, 0 at least; null where none waits. */
  readonly nextSettleInMs: number | null;
  /** On record. */
  readonly findings: number;
}

/** Ends a scan that went through, gives the lock back, and says where the source stands. */
export async function completeScan(
  db: Queryable,
  scan: {
    readonly id: string;
    readonly sourceId: string;
    readonly counts: ScanCounts;
    readonly message: string | null;
    readonly clock: SettleClock;
  },
): Promise<SourceStanding> {
  const { counts, clock } = scan;
  const { rows } = await db.query<SourceStanding>(
    `with waiting as (
       select count(*) as files, min(${settlesInMs("$2", "$3")}) as next_in_ms from cf_scan_pending where source_id = $1
     ), ended as (
       update cf_scan
       set state = 'COMPLETED', finished_at = now(), files_seen = $5, files_new = $6, files_changed = $7, files_vanished = $8,
         files_waiting = waiting.files, message = $9, files_left_out = $10
       from waiting where id = $4 returning ${unhurried}
     )
     select files::float8 as "filesWaiting", case when files > 0 then greatest(0, next_in_ms)::float8 end as "nextSettleInMs",
       (select count(*) from cf_scan_finding where source_id = $1)::float8 as findings, pg_advisory_unlock(${lockKey})
     from waiting, ended`,
    [
      scan.sourceId,
      clock.nowMs,
      clock.settleMs,
      scan.id,
      counts.filesSeen,
      counts.filesNew,
      counts.filesChanged,
      counts.filesVanished,
      scan.message,
      counts.filesLeftOut,
    ],
  );
  return rows[0]!;
}

/** Ends a scan that did not go through. */
export async function failScan(db: Queryable, scanId: string, state: "FAILED" | "CANCELLED", message: string): Promise<void> {
  await db.query("update cf_scan set state = $2, finished_at = now(), message = $3 where id = $1", [scanId, state, message]);
}

/** Removes a source's oldest scans from the record, all but the newest thousand. */
export async function pruneScans(db: Queryable, sourceId: string): Promise<void> {
  await db.query(
    `delete from cf_scan where source_id = $1
       and id <= (select id from cf_scan where source_id = $1 order by id desc offset $2 limit 1)`,
    [sourceId, keptScans],
  );
}
