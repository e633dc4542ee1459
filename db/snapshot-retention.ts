import type { Queryable } from "./pool.ts";
import type { StoredContent } from "./snapshot.ts";

/**
 * SQL: versions for which a store keeps a copy beyond what their sources' settings say. A version counts as replaced when its file has a
 * newer one, and as gone when its file has vanished; the age is that since then. By count, the newest of each file stay. By size, each
 * content counts once: the newest versions of present files stay before others, and among those the newest ones.
 */
const expired = `
  with kept as (
    select k.file_version_id, k.content_hash, c.size_bytes, l.source_id, s.snapshot_age_ms_max, s.snapshot_count_max, s.snapshot_bytes_max,
      coalesce(newer.detected_at, l.vanished_at) as ended_at,
      row_number() over (partition by v.location_id order by v.sequence desc) as place
    from cf_snapshot_version k
    join cf_snapshot c using (content_hash, store)
    join cf_file_version v on v.id = k.file_version_id
    join cf_file_location l on l.id = v.location_id
    join cf_source_root s on s.id = l.source_id
      and (s.snapshot_age_ms_max is not null or s.snapshot_count_max is not null or s.snapshot_bytes_max is not null)
    left join lateral (
      select detected_at from cf_file_version n where n.location_id = v.location_id and n.sequence > v.sequence order by n.sequence limit 1
    ) newer on true
    where k.store = $1
  ), lasting as (
    select * from kept
    where (snapshot_age_ms_max is null or ended_at is null or ended_at >= now() - make_interval(secs => snapshot_age_ms_max / 1000.0))
      and (snapshot_count_max is null or place <= snapshot_count_max)
      and (snapshot_bytes_max is null or size_bytes <= snapshot_bytes_max)
  ), content as (
    select source_id, content_hash, max(size_bytes) as size_bytes, bool_or(ended_at is null) as present, max(file_version_id) as newest
    from lasting where snapshot_bytes_max is not null group by 1, 2
  ), filling as (
    select source_id, content_hash, sum(size_bytes) over (partition by source_id order by present desc, newest desc) as total from content
  ), staying as (
    select l.file_version_id from lasting l left join filling f using (source_id, content_hash)
    where l.snapshot_bytes_max is null or f.total <= l.snapshot_bytes_max
  )
  select file_version_id, content_hash from kept k
  where not exists (select from staying s where s.file_version_id = k.file_version_id)
  order by file_version_id`;

/**
 * SQL: whether work that has not ended needs the content, or a member of the archive that it is, or it is an archive that is yet to be
 * opened, whatever source its version is of.
 */
const isNeeded = `exists (
  select from cf_file_version kept
  cross join lateral (
    select kept.id union all select member.id from cf_file_version member where member.container_version_id = kept.id
  ) v
  where kept.content_hash = c.content_hash and (
    exists (select from cf_outbox o where o.file_version_id = v.id)
    or exists (
      select from cf_archive a
      join cf_file_location l on l.id = kept.location_id and l.state = 'PRESENT'
      join cf_source_root s on s.id = l.source_id and s.archives and s.state <> 'REMOVED'
      where a.file_version_id = kept.id and a.state = 'WAITING')
    or exists (select from cf_processing_job j where j.file_version_id = v.id and j.state in ('QUEUED', 'RUNNING', 'HELD'))))`;

/** Whether any source has a limit on what is kept. */
export async function hasRetention(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ has: boolean }>(
    `select exists (select from cf_source_root
       where snapshot_age_ms_max is not null or snapshot_count_max is not null or snapshot_bytes_max is not null) as has`,
  );
  return rows[0]!.has;
}

/**
 * Ends the keeping of at most `limit` versions that the settings no longer keep; contents that none keeps are released. Returns how many
 * versions.
 */
export async function releaseExpired(db: Queryable, store: string, limit: number): Promise<number> {
  return endKeeping(db, `${expired} limit $2`, [store, limit]);
}

/** Ends the keeping of everything that sources of this name keep, also removed ones; at most `limit` versions. Returns how many. */
export async function releaseSource(db: Queryable, store: string, sourceName: string, limit: number): Promise<number> {
  const ofSource = `
    select k.file_version_id from cf_snapshot_version k
    join cf_file_version v on v.id = k.file_version_id
    join cf_file_location l on l.id = v.location_id
    join cf_source_root s on s.id = l.source_id
    where k.store = $1 and s.name = $3 limit $2`;
  return endKeeping(db, ofSource, [store, limit, sourceName]);
}

/** Ends the keeping of the versions that `versions` selects from the store, its first parameter; contents that none keeps are released. */
async function endKeeping(db: Queryable, versions: string, parameters: readonly [store: string, ...unknown[]]): Promise<number> {
  const { rows } = await db.query<{ content_hash: string }>(
    `delete from cf_snapshot_version k using (${versions}) e
     where k.file_version_id = e.file_version_id and k.store = $1 returning k.content_hash`,
    [...parameters],
  );
  if (rows.length === 0) return 0;
  await db.query(
    `update cf_snapshot c set released_at = now()
     where store = $1 and content_hash = any ($2)
       and not exists (select from cf_snapshot_version k where k.content_hash = c.content_hash and k.store = c.store)`,
    [parameters[0], rows.map((row) => row.content_hash)],
  );
  return rows.length;
}

/** Takes at most `limit` contents out of the record that no version keeps and no work needs; their files are to be removed then. */
export async function takeReleased(db: Queryable, store: string, limit: number): Promise<readonly StoredContent[]> {
  const { rows } = await db.query<StoredContent>(
    `delete from cf_snapshot d using (
       select content_hash from cf_snapshot c where store = $1 and released_at is not null and not ${isNeeded} order by released_at limit $2
     ) c
     where d.store = $1 and d.content_hash = c.content_hash returning d.content_hash as hash, d.size_bytes::float8 as "sizeBytes"`,
    [store, limit],
  );
  return rows;
}

/** Contents that no version keeps, and that stay because work that has not ended needs them. */
export async function countAwaited(db: Queryable, store: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::float8 as count from cf_snapshot c where store = $1 and released_at is not null and ${isNeeded}`,
    [store],
  );
  return rows[0]!.count;
}
