import { limitKinds } from "../domain/selection.ts";
import type { Queryable } from "./pool.ts";

/** What a scan could not take. The path of a finding about the root itself is empty. */
export interface Finding {
  readonly relPath: string;
  /** Such as `LINK_OUTSIDE`, `UNREADABLE`, `ROOT_MISSING`. */
  readonly kind: string;
  /** One sentence without a full stop. */
  readonly message: string;
}

/**
 * Brings the findings to what the walk met: those in scope that it didn't meet again are mended and go, but for what lies below a
 * folder that could not be read, files that are yet to be read again, present ones that are yet to be copied, and what lies in archives,
 * which the walk doesn't open. What the limits left out is told for the whole source, so only a look at all of it brings that up to date;
 * one at a part tells it where nothing is told yet.
 */
export async function settleFindings(db: Queryable, sourceId: string, scope: readonly string[] | null): Promise<void> {
  await db.query(
    `with met as materialized (
       select rel_path, finding as kind, message from cf_scan_seen where finding is not null
     ), mended as (
       delete from cf_scan_finding f
       where f.source_id = $1 and f.archive_id is null
         and ($2::text[] is null or f.rel_path = '' or exists (
           select from unnest($2) as hint (path) where f.rel_path = path or starts_with(f.rel_path, path || '/')))
         and not ($2::text[] is not null and f.rel_path = '' and f.kind = any ($3))
         and not exists (select from met m where m.kind = f.kind and m.rel_path = f.rel_path)
         and not exists (
           select from met m
           where m.kind = 'UNREADABLE' and f.rel_path <> '' and (m.rel_path = '' or starts_with(f.rel_path, m.rel_path || '/')))
         and not (f.kind = 'UNREADABLE' and exists (
           select from cf_scan_difference d where d.rel_path = f.rel_path and d.change in ('NEW', 'CHANGED', 'REAPPEARED')))
         and not (f.kind = 'SNAPSHOT_FAILED' and exists (
           select from cf_file_location l join cf_source_root s on s.id = l.source_id and s.snapshots
           where l.source_id = $1 and cf_path_key(l.rel_path) = cf_path_key(f.rel_path) and l.state = 'PRESENT'))
     )
     insert into cf_scan_finding as f (source_id, rel_path, kind, message)
     select $1, rel_path, kind, message from met
     on conflict (source_id, kind, cf_path_key(rel_path)) do update
     set message = case when $2::text[] is not null and f.rel_path = '' and f.kind = any ($3) then f.message else excluded.message end,
       last_seen_at = now()`,
    [sourceId, scope, limitKinds],
  );
}

/** Adds findings that were met beside the walk. */
export async function addFindings(db: Queryable, sourceId: string, findings: readonly Finding[]): Promise<void> {
  await db.query(
    `insert into cf_scan_finding (source_id, rel_path, kind, message)
     select $1, * from unnest($2::text[], $3::text[], $4::text[])
     on conflict (source_id, kind, cf_path_key(rel_path)) do update set message = excluded.message, last_seen_at = now()`,
    [
      sourceId,
      findings.map((finding) => finding.relPath),
      findings.map((finding) => finding.kind),
      findings.map((finding) => finding.message),
    ],
  );
}

/** Removes findings of one kind that are mended. */
export async function clearFindings(db: Queryable, sourceId: string, kind: string, relPaths: readonly string[]): Promise<void> {
  await db.query(
    `delete from cf_scan_finding
     where source_id = $1 and kind = $2 and cf_path_key(rel_path) in (select cf_path_key(path) from unnest($3::text[]) as mended (path))`,
    [sourceId, kind, relPaths],
  );
}
