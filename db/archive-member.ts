import { isStillMissed, type WaitingArchive } from "./archive.ts";
import { isSeen, newContents } from "./file-version.ts";
import { enqueueNew } from "./outbox.ts";
import type { Queryable } from "./pool.ts";

/**
 * The members of an archive on their way into the record: they gather in a temporary table while the archive is read, and one transaction
 * takes them all, or none where the archive turns out to be corrupt.
 */

/** A member as it was read; without a hash where it is refused, and the finding says why. */
export interface ReadMember {
  readonly relPath: string;
  /** SHA-256, hex. */
  readonly hash: string | null;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly finding: { readonly kind: string; readonly message: string } | null;
}

/** Makes the connection's temporary table, or empties it. */
export async function prepareMembers(db: Queryable): Promise<void> {
  await db.query(
    `create temporary table if not exists cf_scan_member (
       archive_version_id bigint not null, rel_path text not null, content_hash text, size_bytes bigint not null, mtime_ns bigint not null,
       finding text, message text);
     truncate cf_scan_member`,
  );
}

export async function gatherMembers(db: Queryable, archiveVersionId: string, members: readonly ReadMember[]): Promise<void> {
  await db.query(
    `insert into cf_scan_member
     select $1, * from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[])`,
    [
      archiveVersionId,
      members.map((member) => member.relPath),
      members.map((member) => member.hash),
      members.map((member) => String(member.sizeBytes)),
      members.map((member) => String(member.mtimeNs)),
      members.map((member) => member.finding?.kind ?? null),
      members.map((member) => member.finding?.message ?? null),
    ],
  );
}

/** Forgets what was gathered of an archive. */
export async function forgetMembers(db: Queryable, archiveVersionId: string): Promise<void> {
  await db.query("delete from cf_scan_member where archive_version_id = $1", [archiveVersionId]);
}

/** What became of an archive's members. */
export interface MemberCounts {
  /** Taken; each is counted once below as well, but for the vanished. */
  readonly seen: number;
  readonly new: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly reappeared: number;
  readonly vanished: number;
}

/**
 * Records what was gathered of an archive that was read to its end: locations, versions where the content differs from the member's newest
 * one, their outbox rows, members that are no longer in it, findings, and that it has been opened. Within a transaction.
 *
 * A name that occurs twice is not taken at all: which of the two a program would get depends on the program. A member that is refused
 * is not called vanished: it is there, and its earlier versions stand.
 */
export async function recordMembers(db: Queryable, sourceId: string, archive: WaitingArchive): Promise<MemberCounts> {
  await db.query(refuseTaken, [archive.versionId, sourceId]);
  await db.query(refuseDoubled, [archive.versionId]);
  const { rows } = await db.query<MemberCounts>(takeMembers, [
    sourceId,
    archive.versionId,
    archive.locationId,
    String(archive.stat.ctimeNs),
    String(BigInt.asIntN(64, archive.stat.inode)),
  ]);
  const { rowCount: vanished } = await db.query(
    `update cf_file_location l set state = 'VANISHED', vanished_at = now()
     where l.container_id = $1 and l.state = 'PRESENT'
       and not exists (select from cf_scan_member m where m.archive_version_id = $2 and m.rel_path = l.rel_path)`,
    [archive.locationId, archive.versionId],
  );
  await db.query(settleMemberFindings, [sourceId, archive.versionId, archive.locationId]);
  await db.query("update cf_archive set state = 'OPENED', members = $2, message = null, ended_at = now() where file_version_id = $1", [
    archive.versionId,
    rows[0]!.seen,
  ]);
  await forgetMembers(db, archive.versionId);
  return { ...rows[0]!, vanished: vanished ?? 0 };
}

const refuseDoubled = `
  update cf_scan_member m
  set content_hash = null, finding = 'MEMBER_DOUBLED',
    message = 'the archive has ' || doubled.times || ' members of this name; none is taken, because programs differ in which one they take'
  from (select rel_path, count(*) as times from cf_scan_member where archive_version_id = $1 group by rel_path having count(*) > 1) doubled
  where m.archive_version_id = $1 and m.rel_path = doubled.rel_path`;

/** A file of the source had this path before archives were opened. */
const refuseTaken = `
  update cf_scan_member m
  set content_hash = null, finding = 'MEMBER_PATH_TAKEN', message = 'a file of the source is on record under this path'
  from cf_file_location l
  where m.archive_version_id = $1 and l.source_id = $2 and cf_path_key(l.rel_path) = cf_path_key(m.rel_path) and l.container_id is null`;

const takeMembers = `
  with taken as materialized (
    select m.*, l.state as was
    from cf_scan_member m
    left join cf_file_location l on l.source_id = $1 and cf_path_key(l.rel_path) = cf_path_key(m.rel_path)
    where m.archive_version_id = $2 and m.content_hash is not null
  ), location as (
    insert into cf_file_location (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode, container_id)
    select $1, rel_path, size_bytes, mtime_ns, $4, $5, $3 from taken
    on conflict (source_id, cf_path_key(rel_path)) do update set ${isSeen}
    returning id, rel_path
  ), arrived as (
    ${newContents("taken")}
  ), version as (
    insert into cf_file_version
      (location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at, container_version_id)
    select location_id, sequence, content_hash, size_bytes, mtime_ns, $4, $5, modified_at, $2 from arrived
    returning id, location_id
  ), outbox as (
    ${enqueueNew}
  )
  select count(*)::int as seen,
    (count(*) filter (where t.was is null))::int as new,
    (count(*) filter (where t.was = 'PRESENT' and v.id is not null))::int as changed,
    (count(*) filter (where t.was = 'PRESENT' and v.id is null))::int as unchanged,
    (count(*) filter (where t.was = 'VANISHED'))::int as reappeared
  from taken t join location l using (rel_path) left join version v on v.location_id = l.id`;

const settleMemberFindings = `
  with met as (
    select distinct on (finding, rel_path) finding as kind, rel_path, message
    from cf_scan_member where archive_version_id = $2 and finding is not null
  ), mended as (
    delete from cf_scan_finding f
    where f.archive_id = $3 and not exists (select from met where met.kind = f.kind and met.rel_path = f.rel_path)
      and not ${isStillMissed("$2")}
  )
  insert into cf_scan_finding (source_id, rel_path, kind, message, archive_id)
  select $1, rel_path, kind, message, $3 from met
  on conflict (source_id, kind, cf_path_key(rel_path)) do update
  set message = excluded.message, last_seen_at = now(), archive_id = excluded.archive_id`;

/**
 * The contents of the archive that held a member's version: the one that it was first read from, then the newest ones up to where the
 * archive held another version; at most ten.
 */
export async function contentsHolding(db: Queryable, fileVersionId: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ hash: string }>(
    `select held.content_hash as hash
     from cf_file_version v
     join cf_file_version first on first.id = v.container_version_id
     join cf_file_version held on held.location_id = first.location_id and held.sequence >= first.sequence
     left join cf_file_version next on next.location_id = v.location_id and next.sequence = v.sequence + 1
     left join cf_file_version ended on ended.id = next.container_version_id
     where v.id = $1 and (ended.sequence is null or held.sequence < ended.sequence)
     order by held.id = first.id desc, held.sequence desc limit 10`,
    [fileVersionId],
  );
  return rows.map((row) => row.hash);
}
