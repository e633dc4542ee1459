import { enqueue, versionsOnRecord } from "./outbox.ts";
import type { Queryable } from "./pool.ts";

/** A version on record that may be offered to plugins again. */
export interface BacklogVersion {
  readonly locationId: string;
  readonly sourceId: string;
  readonly path: string;
  readonly versionId: string;
  readonly sizeBytes: number;
}

export interface BacklogPage {
  readonly sourceIds: readonly string[] | null;
  /** Older versions as well, of sources that keep snapshots: only these can still be read. */
  readonly allVersions: boolean;
  /** Only versions that were detected then or later. All unless given. */
  readonly since?: Date | null;
  /** Whether the file that was first seen last comes first. */
  readonly newestFirst?: boolean;
  /** Only files after this one in that order, for the next page; null for the first page. */
  readonly afterId: string | null;
  /** Files. */
  readonly limit: number;
}

/** The newest versions of present files of sources in use, page by page, by file. */
export async function backlogVersions(db: Queryable, page: BacklogPage): Promise<readonly BacklogVersion[]> {
  const [order, beyond] = page.newestFirst === true ? ["desc", "<"] : ["asc", ">"];
  const { rows } = await db.query<BacklogVersion>(
    `with page as (
       select l.id, l.source_id, l.rel_path, s.snapshots
       from cf_file_location l join cf_source_root s on s.id = l.source_id and s.state <> 'REMOVED'
       where l.state = 'PRESENT' and ($1::bigint is null or l.id ${beyond} $1) and ($2::bigint[] is null or s.id = any ($2))
         and ($5::timestamptz is null or exists (select from cf_file_version where location_id = l.id and detected_at >= $5))
       order by l.id ${order} limit $3
     )
     select page.id as "locationId", page.source_id as "sourceId", page.rel_path as path, v.id as "versionId", v.size_bytes::float8 as "sizeBytes"
     from page
     join lateral (
       select id, sequence, size_bytes from cf_file_version
       where location_id = page.id and ($5::timestamptz is null or detected_at >= $5)
       order by sequence desc limit case when $4 and page.snapshots then null else 1 end
     ) v on true
     order by page.id ${order}, v.sequence`,
    [page.afterId, page.sourceIds, page.limit, page.allVersions, page.since ?? null],
  );
  return rows;
}

/** A job that a version has had, of whatever version of the plugin. */
export interface HadJob {
  readonly versionId: string;
  readonly pluginName: string;
  readonly pluginId: string;
}

/** The jobs of these versions by these plugins, by name. */
export async function jobsHad(db: Queryable, versionIds: readonly string[], pluginNames: readonly string[]): Promise<readonly HadJob[]> {
  const { rows } = await db.query<HadJob>(
    `select file_version_id as "versionId", plugin_name as "pluginName", plugin_id as "pluginId"
     from cf_processing_job where file_version_id = any ($1::bigint[]) and plugin_name = any ($2) and replay_of is null`,
    [versionIds, pluginNames],
  );
  return rows;
}

/** How many of these versions wait in the outbox to be routed. */
export async function countWaiting(db: Queryable, versionIds: readonly string[]): Promise<number> {
  const { rows } = await db.query<{ waiting: number }>(
    "select count(*)::int as waiting from cf_outbox where file_version_id = any ($1::bigint[]) and reason in ('NEW', 'BACKFILL')",
    [versionIds],
  );
  return rows[0]!.waiting;
}

/**
 * Puts those of the versions into the outbox that don't wait there to be routed yet, and returns how many. A row that is just being planned
 * is waited for: it may have been routed by the rules as they were.
 */
export async function offerVersions(tx: Queryable, versionIds: readonly string[]): Promise<number> {
  const { rowCount } = await tx.query(
    `${enqueue("BACKFILL", versionsOnRecord)}
     on conflict (file_version_id) do update set reason = excluded.reason, started_at = null where o.reason in ('RETRY', 'REPLAY')`,
    [versionIds],
  );
  return rowCount ?? 0;
}
