import { archiveName } from "../domain/archive.ts";
import type { FileStat, FileVersion } from "../domain/file-version.ts";
import { waitAgain } from "./archive.ts";
import { movedFromDeparted } from "./departure.ts";
import { fromStatRow, toStatArrays, type StatRow } from "./file-stat.ts";
import { enqueueNew } from "./outbox.ts";
import { prepared, type Queryable } from "./pool.ts";

interface VersionRow extends StatRow, Omit<FileVersion, "stat"> {}

/** Null where there is no such version. */
export async function loadFileVersion(db: Queryable, id: string): Promise<FileVersion | null> {
  const { rows } = await db.query<VersionRow>(
    prepared(
      `select v.id, v.location_id as "locationId", s.id as "sourceId", s.name as "sourceName", s.path as "sourcePath",
       l.rel_path as "relPath", v.sequence, v.content_hash as "contentHash", v.detected_at as "detectedAt",
       v.size_bytes, v.mtime_ns, v.ctime_ns, v.inode,
       case when archive.id is not null then
         json_build_object('relPath', archive.rel_path, 'sizeBytes', archive.size_bytes) end as archive
     from cf_file_version v
     join cf_file_location l on l.id = v.location_id
     join cf_source_root s on s.id = l.source_id
     left join cf_file_location archive on archive.id = l.container_id
     where v.id = $1`,
      [id],
    ),
  );
  const [row] = rows;
  if (row === undefined) return null;
  const { size_bytes, mtime_ns, ctime_ns, inode, ...version } = row;
  return { ...version, stat: fromStatRow({ size_bytes, mtime_ns, ctime_ns, inode }) };
}

/** SQL: has a location be present under the stat of the row that was to be inserted. */
export const isSeen = `
  state = 'PRESENT', vanished_at = null, size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns,
  inode = excluded.inode`;

/**
 * SQL: those of `contents` (rel_path, content_hash, mtime_ns and others) that differ from the newest version of their location, which
 * `location` (id, rel_path) has; with location_id, and the new version's sequence and modified_at.
 */
export function newContents(contents: string): string {
  return `select l.id as location_id, coalesce(newest.sequence, 0) + 1 as sequence,
      'epoch'::timestamptz + c.mtime_ns / 1000 * interval '1 microsecond' as modified_at, c.*
    from ${contents} c
    join location l using (rel_path)
    left join lateral (
      select sequence, content_hash from cf_file_version where location_id = l.id order by sequence desc limit 1
    ) newest on true
    where newest.content_hash is distinct from c.content_hash`;
}

export interface HashedFile {
  readonly relPath: string;
  /** SHA-256, hex. */
  readonly hash: string;
  readonly stat: FileStat;
}

/**
 * Records what was hashed, in one statement and so in one transaction: locations, versions, their outbox rows; what waited or could not
 * be read no longer does. Returns the paths that have a new version.
 *
 * A version is made where the content differs from the location's newest version, so A → B → A is three versions. A touched file, and
 * a vanished one that is back with the content of its newest version, make none: the location takes the new stat and is present, and
 * which bytes each job read is as certain as before. A version whose bytes left another location says so (`db/departure.ts`).
 *
 * An archive that is new, changed or back waits to be opened, where its source opens archives.
 */
export async function recordVersions(db: Queryable, sourceId: string, files: readonly HashedFile[]): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ rel_path: string }>(
    // Planning it takes as long as recording some fifty files.
    prepared(
      `with hashed as (
       select * from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
         as hashed (rel_path, content_hash, size_bytes, mtime_ns, ctime_ns, inode)
     ), location as (
       insert into cf_file_location (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode)
       select $1, rel_path, size_bytes, mtime_ns, ctime_ns, inode from hashed
       on conflict (source_id, cf_path_key(rel_path)) do update set ${isSeen}
       where cf_file_location.container_id is null
       returning id, rel_path
     ), arrived as (
       ${newContents("hashed")}
     ), ${movedFromDeparted}, version as (
       insert into cf_file_version
         (location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at, moved_from_version_id)
       select location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at, moved.version_id
       from arrived left join moved using (location_id)
       returning id, location_id
     ), taken as (
       delete from cf_departure p using (
         select departed_id as location_id from moved
         union all
         select l.id from location l join hashed h using (rel_path)
         join cf_departure back on back.location_id = l.id and back.content_hash = h.content_hash
       ) gone where p.location_id = gone.location_id
     ), outbox as (
       ${enqueueNew}
     ), archive as (
       insert into cf_archive (file_version_id)
       select coalesce(v.id, newest.id) from location l
       left join version v on v.location_id = l.id
       left join cf_file_location was on was.id = l.id
       left join lateral (select id from cf_file_version where location_id = l.id order by sequence desc limit 1) newest on true
       where exists (select from cf_source_root where id = $1 and archives)
         and l.rel_path ~* '${archiveName}' and (v.id is not null or was.state = 'VANISHED')
       on conflict (file_version_id) do update set ${waitAgain}
     ), settled as (
       delete from cf_scan_pending p using hashed h where p.source_id = $1 and cf_path_key(p.rel_path) = cf_path_key(h.rel_path)
     ), readable as (
       delete from cf_scan_finding f using hashed h
       where f.source_id = $1 and f.kind = 'UNREADABLE' and cf_path_key(f.rel_path) = cf_path_key(h.rel_path)
     )
     select l.rel_path from location l join version v on v.location_id = l.id`,
      [sourceId, files.map((file) => file.relPath), files.map((file) => file.hash), ...toStatArrays(files.map((file) => file.stat))],
    ),
  );
  return new Set(rows.map((row) => row.rel_path));
}
