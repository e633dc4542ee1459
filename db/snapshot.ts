import { transaction, type Database, type Queryable } from "./pool.ts";

/**
 * Which contents each store of copies has, and for which versions. Whoever makes rows or takes them away holds the store's lock: shared
 * where a row is made for a file that is there, alone where rows go before their files.
 */

const lockKey = "hashtextextended('casparian snapshots ' || $1, 0)";

/** Until the end of the transaction, nobody takes copies out of the store. */
export async function keepStore(tx: Queryable, store: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock_shared(${lockKey})`, [store]);
}

/** Does `work` while nobody makes rows for copies in the store; not for long, because scans wait. */
export async function alone<T>(db: Database, store: string, work: () => Promise<T>): Promise<T> {
  return transaction(db, async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(${lockKey})`, [store]);
    return work();
  });
}

export interface StoredContent {
  readonly hash: string;
  readonly sizeBytes: number;
}

/** Notes that the store has these contents; always in the same order, so that two scans don't wait for each other. */
export async function insertSnapshots(tx: Queryable, store: string, contents: readonly StoredContent[]): Promise<void> {
  await tx.query(
    `insert into cf_snapshot (store, content_hash, size_bytes)
     select distinct $1, hash, size_bytes from unnest($2::text[], $3::bigint[]) as stored (hash, size_bytes) order by hash
     on conflict (content_hash, store) do update set released_at = null`,
    [store, contents.map((content) => content.hash), contents.map((content) => content.sizeBytes)],
  );
}

/** Has copies kept for the newest versions of these files, where those have the content that was copied. */
export async function keepForNewest(
  tx: Queryable,
  kept: {
    readonly sourceId: string;
    readonly store: string;
    readonly files: readonly { readonly relPath: string; readonly hash: string }[];
  },
): Promise<void> {
  await tx.query(
    `insert into cf_snapshot_version (file_version_id, store, content_hash)
     select v.id, $2, v.content_hash
     from unnest($3::text[], $4::text[]) as kept (rel_path, hash)
     join cf_file_location l on l.source_id = $1 and cf_path_key(l.rel_path) = cf_path_key(kept.rel_path)
     join lateral (select id, content_hash from cf_file_version where location_id = l.id order by sequence desc limit 1) v
       on v.content_hash = kept.hash
     on conflict (file_version_id, store) do nothing`,
    [kept.sourceId, kept.store, kept.files.map((file) => file.relPath), kept.files.map((file) => file.hash)],
  );
}

/** The kind of finding that says that a version has no copy, though its source asks for one. */
export const copyFailed = "SNAPSHOT_FAILED";

/**
 * Adds to the comparison of a whole source the unchanged files whose newest version should have a copy and has none: all of them where
 * snapshots were switched on since, otherwise those that could not be copied. Returns how many.
 */
export async function addUncopied(db: Queryable, sourceId: string, store: string): Promise<number> {
  const { rows } = await db.query<{ behind: boolean; failed: boolean }>(
    `select snapshots_behind as behind, exists (select from cf_scan_finding f where f.source_id = s.id and f.kind = $2) as failed
     from cf_source_root s where s.id = $1`,
    [sourceId, copyFailed],
  );
  const [{ behind, failed } = { behind: false, failed: false }] = rows;
  if (!behind && !failed) return 0;
  const { rowCount } = await db.query(
    `insert into cf_scan_difference (change, rel_path, location_id, size_bytes, mtime_ns, ctime_ns, inode, waits)
     select 'UNCOPIED', l.rel_path, l.id, l.size_bytes, l.mtime_ns, l.ctime_ns, l.inode, false
     from cf_file_location l
     join cf_scan_seen s on s.rel_path = l.rel_path and s.finding is null
       and (s.size_bytes, s.mtime_ns, s.ctime_ns, s.inode) = (l.size_bytes, l.mtime_ns, l.ctime_ns, l.inode)
     join lateral (select id from cf_file_version where location_id = l.id order by sequence desc limit 1) v on true
     where l.source_id = $1 and l.state = 'PRESENT'
       and not exists (select from cf_snapshot_version k where k.file_version_id = v.id and k.store = $2)
       and ($4 or exists (
         select from cf_scan_finding f where f.source_id = $1 and f.kind = $3 and cf_path_key(f.rel_path) = cf_path_key(l.rel_path)))`,
    [sourceId, store, copyFailed, behind],
  );
  return rowCount ?? 0;
}

/** A scan of the whole source has gone through: what it could copy is copied. */
export async function endBehind(db: Queryable, sourceId: string): Promise<void> {
  await db.query("update cf_source_root set snapshots_behind = false where id = $1 and snapshots_behind", [sourceId]);
}

/** Of these contents, those that the record says are in a store, and in which. */
export async function storesOf(
  db: Queryable,
  contentHashes: readonly string[],
): Promise<readonly { readonly contentHash: string; readonly store: string }[]> {
  const { rows } = await db.query<{ contentHash: string; store: string }>(
    `select content_hash as "contentHash", store from cf_snapshot where content_hash = any ($1)`,
    [contentHashes],
  );
  return rows;
}

/** Of these contents, those that the record doesn't have in the store. */
export async function unknownContents(db: Queryable, store: string, contentHashes: readonly string[]): Promise<readonly string[]> {
  const { rows } = await db.query<{ hash: string }>(
    `select hash from unnest($2::text[]) as present (hash)
     where not exists (select from cf_snapshot where content_hash = hash and store = $1)`,
    [store, contentHashes],
  );
  return rows.map((row) => row.hash);
}

/** Contents that the store has by the record, in the order of their hashes, page by page. */
export async function storedContents(
  db: Queryable,
  store: string,
  page: { readonly afterHash: string; readonly limit: number },
): Promise<readonly StoredContent[]> {
  const { rows } = await db.query<StoredContent>(
    `select content_hash as hash, size_bytes::float8 as "sizeBytes" from cf_snapshot
     where store = $1 and content_hash > $2 order by content_hash limit $3`,
    [store, page.afterHash, page.limit],
  );
  return rows;
}

/** Forgets a copy that is lost, whoever wanted it kept. */
export async function forgetSnapshot(db: Queryable, store: string, contentHash: string): Promise<void> {
  await db.query("delete from cf_snapshot_version where store = $1 and content_hash = $2", [store, contentHash]);
  await db.query("delete from cf_snapshot where store = $1 and content_hash = $2", [store, contentHash]);
}

/** What is kept for a source. */
export interface SourceSnapshots {
  readonly source: string;
  readonly sourceState: string;
  /** Whether new versions are kept. */
  readonly keeps: boolean;
  readonly ageMsMax: number | null;
  readonly countMax: number | null;
  readonly bytesMax: number | null;
  readonly versions: number;
  /** Contents of its versions, each counted once. */
  readonly contents: number;
  readonly bytes: number;
  readonly oldest: Date | null;
  /** Files whose newest version could not be copied. */
  readonly failed: number;
}

/** Sources that keep copies, or for which some are kept. A content that two sources keep counts for each. */
export async function snapshotsBySource(db: Queryable): Promise<readonly SourceSnapshots[]> {
  const { rows } = await db.query<SourceSnapshots>(
    `with kept as (
       select l.source_id, c.store, c.content_hash, c.size_bytes, c.stored_at, count(*) as versions
       from cf_snapshot_version k
       join cf_snapshot c using (content_hash, store)
       join cf_file_version v on v.id = k.file_version_id
       join cf_file_location l on l.id = v.location_id
       group by 1, 2, 3, 4, 5
     ), total as (
       select source_id, sum(versions) as versions, count(*) as contents, sum(size_bytes) as bytes, min(stored_at) as oldest
       from kept group by 1
     )
     select s.name as source, s.state as "sourceState", s.snapshots and s.state <> 'REMOVED' as keeps,
       s.snapshot_age_ms_max::float8 as "ageMsMax", s.snapshot_count_max as "countMax", s.snapshot_bytes_max::float8 as "bytesMax",
       coalesce(t.versions, 0)::float8 as versions, coalesce(t.contents, 0)::float8 as contents, coalesce(t.bytes, 0)::float8 as bytes,
       t.oldest, (select count(*) from cf_scan_finding f where f.source_id = s.id and f.kind = $1)::float8 as failed
     from cf_source_root s left join total t on t.source_id = s.id
     where t.source_id is not null or (s.snapshots and s.state <> 'REMOVED')
     order by s.name, s.id`,
    [copyFailed],
  );
  return rows;
}

/** What each store has in all. */
export async function storeTotals(
  db: Queryable,
): Promise<readonly { readonly store: string; readonly contents: number; readonly bytes: number }[]> {
  const { rows } = await db.query<{ store: string; contents: number; bytes: number }>(
    "select store, count(*)::float8 as contents, sum(size_bytes)::float8 as bytes from cf_snapshot group by 1",
  );
  return rows;
}
