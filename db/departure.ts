import type { Queryable } from "./pool.ts";

/**
 * Notes which contents the comparison (`db/scan-difference.ts`) missed at their location: the file vanished, or another one has its
 * place. Before the locations change. Those that are back are forgotten.
 */
export async function noteDepartures(db: Queryable): Promise<void> {
  await db.query(
    `with returned as (
       delete from cf_departure p using cf_scan_difference d where d.change = 'RETURNED' and p.location_id = d.location_id
     ), arrived as materialized (
       select distinct inode from cf_scan_difference where change in ('NEW', 'CHANGED', 'REAPPEARED')
     )
     insert into cf_departure (location_id, source_id, version_id, content_hash, inode, mtime_ns, by_inode)
     select l.id, l.source_id, v.id, v.content_hash, l.inode, l.mtime_ns, d.change = 'CHANGED' or l.inode in (select inode from arrived)
     from cf_scan_difference d
     join cf_file_location l on l.id = d.location_id
     join lateral (select id, content_hash from cf_file_version where location_id = l.id order by sequence desc limit 1) v on true
     where d.change = 'VANISHED' or (d.change = 'CHANGED' and d.inode <> l.inode
       -- A file that waits to settle is compared again and again.
       and not exists (select from cf_file_version w where w.moved_from_version_id = v.id))
     on conflict (location_id) do update
     set version_id = excluded.version_id, content_hash = excluded.content_hash, inode = excluded.inode, mtime_ns = excluded.mtime_ns,
       by_inode = excluded.by_inode, departed_at = now()`,
  );
}

/** Contents that turn up later than this are not taken for moved. */
const keptFor = "1 day";

export async function pruneDepartures(db: Queryable): Promise<void> {
  await db.query(`delete from cf_departure where departed_at < now() - interval '${keptFor}'`);
}

/**
 * Where files that the comparison found new or changed were before, by their inodes, as far as that is on record as present and was not
 * looked at, members of archives aside: whether they moved or are hard links shows there.
 */
export async function formerPaths(db: Queryable, sourceId: string, limit: number): Promise<readonly string[]> {
  const { rows } = await db.query<{ rel_path: string }>(
    `select distinct l.rel_path
     from cf_scan_difference d
     join cf_file_location l on l.source_id = $1 and l.inode = d.inode and l.state = 'PRESENT' and l.container_id is null
     where d.change in ('NEW', 'CHANGED', 'REAPPEARED')
       and not exists (select from cf_scan_seen s where s.rel_path = l.rel_path)
       and not exists (select from cf_scan_difference e where e.location_id = l.id)
     limit $2`,
    [sourceId, limit],
  );
  return rows.map((row) => row.rel_path);
}

/**
 * SQL: which rows of `arrived` (location_id, rel_path, content_hash, size_bytes, mtime_ns, inode; new contents, not yet inserted) moved
 * from which departed ones: `moved` has location_id, departed_id and version_id.
 *
 * The same bytes under the same inode are the same file. Under another inode (a move to another disk, a share without lasting inodes)
 * they have moved where there is one such arrival and one such departure, so that nothing else can be meant. Empty files are all alike,
 * so for them the inode and mtime decide.
 */
export const movedFromDeparted = `
  arrival as (
    select *, row_number() over (partition by content_hash, inode order by rel_path) as turn from arrived
  ), departed as (
    select location_id as departed_id, version_id, content_hash, mtime_ns as departed_mtime_ns, inode, by_inode,
      row_number() over (partition by content_hash, inode order by source_id <> $1, departed_at desc, location_id) as turn
    from cf_departure where content_hash in (select content_hash from arrived)
  ), same_inode as (
    select location_id, departed_id, version_id from arrival join departed using (content_hash, inode, turn)
    where location_id <> departed_id and (size_bytes > 0 or mtime_ns = departed_mtime_ns)
  ), same_content as (
    select min(location_id) as location_id, min(departed_id) as departed_id, min(version_id) as version_id
    from arrival join departed using (content_hash)
    where location_id <> departed_id and size_bytes > 0 and not by_inode
      and location_id not in (select location_id from same_inode) and departed_id not in (select departed_id from same_inode)
    group by content_hash having count(*) = 1
  ), moved as (
    select * from same_inode union all select * from same_content
  )`;
