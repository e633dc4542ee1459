import { archiveName } from "../domain/archive.ts";
import type { FileStat } from "../domain/file-version.ts";
import { fromStatRow, type StatRow } from "./file-stat.ts";
import type { Queryable } from "./pool.ts";

/**
 * Which archives are to be opened. Each version of an archive has a row in cf_archive that is inserted with it (`recordVersions`), so what
 * is recorded and not opened is never forgotten; an archive whose version has been opened costs a scan nothing.
 */

/** Whether this source's archives on record have been noted. */
export async function areArchivesNoted(db: Queryable, sourceId: string): Promise<boolean> {
  const { rows } = await db.query<{ noted: boolean }>("select archives_noted as noted from cf_source_root where id = $1", [sourceId]);
  return rows[0]?.noted === true;
}

/** Notes the archives on record, for a source that begins to open its archives: their newest versions wait to be opened. */
export async function noteArchives(db: Queryable, sourceId: string): Promise<void> {
  await db.query(
    `with noted as (
       update cf_source_root set archives_noted = true where id = $1
     )
     insert into cf_archive (file_version_id)
     select v.id from cf_file_location l
     join lateral (select id from cf_file_version where location_id = l.id order by sequence desc limit 1) v on true
     where l.source_id = $1 and l.state = 'PRESENT' and ${isArchive}
     on conflict (file_version_id) do update set ${waitAgain}`,
    [sourceId],
  );
}

/** SQL: whether the location `l` is an archive that a source can open. */
const isArchive = `l.container_id is null and l.rel_path ~* '${archiveName}'`;

/** SQL: whether the location `l` of the source `s` is an archive that is there for its members, also where it was refused or is yet to be opened. */
export const isOpened = `s.archives and ${isArchive}`;

/**
 * Takes the members of a source that opens its archives no more out of what is present; their versions stay on record. Returns how many
 * there were.
 */
export async function dropMembers(db: Queryable, sourceId: string): Promise<number> {
  const { rowCount } = await db.query(
    `with noted as (
       update cf_source_root set archives_noted = false where id = $1
     ), silent as (
       delete from cf_scan_finding where source_id = $1 and archive_id is not null
     )
     update cf_file_location set state = 'VANISHED', vanished_at = now()
     where source_id = $1 and container_id is not null and state = 'PRESENT'`,
    [sourceId],
  );
  return rowCount ?? 0;
}

/** SQL: has the row of cf_archive wait to be opened, whatever became of it before. */
export const waitAgain = "state = 'WAITING', members = null, message = null, ended_at = null";

/**
 * Marks the members of archives that the comparison missed (`db/scan-difference.ts`) as vanished, and forgets what was found in them.
 * Returns how many there were.
 */
export async function markMembersVanished(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    `with gone as (
       select location_id as id from cf_scan_difference where change = 'VANISHED'
     ), silent as (
       delete from cf_scan_finding f using gone where f.archive_id = gone.id
     )
     update cf_file_location m set state = 'VANISHED', vanished_at = now()
     from gone where m.container_id = gone.id and m.state = 'PRESENT'`,
  );
  return rowCount ?? 0;
}

/** Archives that are back as they were are opened once more: which of their members vanished with them is not on record. */
export async function reopenReturned(db: Queryable): Promise<void> {
  await db.query(
    `update cf_archive a set ${waitAgain}
     from cf_scan_difference d
     join lateral (select id from cf_file_version where location_id = d.location_id order by sequence desc limit 1) v on true
     where d.change = 'RETURNED' and a.file_version_id = v.id`,
  );
}

/** Bytes of the archives that this scan would open: those that wait, and those that the comparison found new or changed. */
export async function archiveBytesToOpen(db: Queryable, sourceId: string): Promise<number> {
  const { rows } = await db.query<{ bytes: number }>(
    `select (
       (select coalesce(sum(l.size_bytes), 0) from ${waitingHere})
       + (select coalesce(sum(size_bytes), 0) from cf_scan_difference where change <> 'VANISHED' and rel_path ~* '${archiveName}')
     )::float8 as bytes`,
    [sourceId],
  );
  return rows[0]!.bytes;
}

/** An archive to open. */
export interface WaitingArchive {
  readonly versionId: string;
  readonly locationId: string;
  readonly relPath: string;
  /** Of the version that waits. */
  readonly stat: FileStat;
}

/** One that a newer version has replaced before it was opened. */
export interface OverdueArchive extends WaitingArchive {
  readonly sequence: number;
  readonly contentHash: string;
  /** Whether the store has a copy of that version. */
  readonly isKept: boolean;
}

const waitingHere = `cf_archive a
  join cf_file_version v on v.id = a.file_version_id
  join cf_file_location l on l.id = v.location_id
  where a.state = 'WAITING' and l.source_id = $1 and l.state = 'PRESENT'`;

const isReplaced = "exists (select from cf_file_version newer where newer.location_id = l.id and newer.sequence > v.sequence)";

/** The present archives of a source that wait to be opened, after the given version; but for those that a newer version has replaced. */
export async function waitingArchives(db: Queryable, sourceId: string, afterId: string, limit: number): Promise<readonly WaitingArchive[]> {
  const { rows } = await db.query<Omit<WaitingArchive, "stat"> & StatRow>(
    `select a.file_version_id as "versionId", l.id as "locationId", l.rel_path as "relPath", l.size_bytes, l.mtime_ns, l.ctime_ns, l.inode
     from ${waitingHere} and not ${isReplaced} and a.file_version_id > $2 order by a.file_version_id limit $3`,
    [sourceId, afterId, limit],
  );
  return rows.map(({ versionId, locationId, relPath, ...stat }) => ({ versionId, locationId, relPath, stat: fromStatRow(stat) }));
}

/** The versions of present archives that wait to be opened and have been replaced, oldest first, and which of them `store` keeps. */
export async function overdueArchives(
  db: Queryable,
  sourceId: string,
  store: string | null,
  limit: number,
): Promise<readonly OverdueArchive[]> {
  const { rows } = await db.query<Omit<OverdueArchive, "stat"> & StatRow>(
    `select a.file_version_id as "versionId", l.id as "locationId", l.rel_path as "relPath", v.sequence, v.content_hash as "contentHash",
       v.size_bytes, v.mtime_ns, v.ctime_ns, v.inode,
       exists (select from cf_snapshot c where c.content_hash = v.content_hash and c.store = $2) as "isKept"
     from ${waitingHere} and ${isReplaced} order by a.file_version_id limit $3`,
    [sourceId, store, limit],
  );
  return rows.map(({ size_bytes, mtime_ns, ctime_ns, inode, ...archive }) => ({
    ...archive,
    stat: fromStatRow({ size_bytes, mtime_ns, ctime_ns, inode }),
  }));
}

/** The kind of finding that says that an archive's version was replaced before it was opened, so that what it held is not on record. */
export const archiveMissed = "ARCHIVE_MISSED";

/** Ends the waiting of a version that can't be opened any more, with a finding that stands until the version after the next is opened. */
export async function missArchive(
  db: Queryable,
  sourceId: string,
  { versionId, locationId, relPath }: WaitingArchive,
  message: string,
): Promise<void> {
  await db.query(
    `with replaced as (
       update cf_archive set state = 'REPLACED', ended_at = now() where file_version_id = $2
     )
     insert into cf_scan_finding (source_id, rel_path, kind, message, archive_id) values ($1, $4, '${archiveMissed}', $5, $3)
     on conflict (source_id, kind, cf_path_key(rel_path)) do update
     set message = excluded.message, last_seen_at = now(), archive_id = excluded.archive_id`,
    [sourceId, versionId, locationId, relPath, message],
  );
}

/**
 * SQL: whether the finding `f` about an archive stands when the version with the id that `version` names has been opened or refused: the
 * version before that one was missed.
 */
export const isStillMissed = (version: string): string =>
  `(f.kind = '${archiveMissed}' and exists (
     select from cf_file_version opened
     join cf_file_version before on before.location_id = opened.location_id and before.sequence = opened.sequence - 1
     join cf_archive missed on missed.file_version_id = before.id and missed.state = 'REPLACED'
     where opened.id = ${version}))`;

/** Ends the opening of an archive that can't be taken: what is on record of its members stays as it is. */
export async function refuseArchive(
  db: Queryable,
  sourceId: string,
  { versionId, locationId, relPath }: WaitingArchive,
  message: string,
): Promise<void> {
  await db.query(
    `with refused as (
       update cf_archive set state = 'REFUSED', message = $5, ended_at = now() where file_version_id = $2
     ), earlier as (
       delete from cf_scan_finding f where archive_id = $3 and kind <> 'ARCHIVE_REFUSED' and not ${isStillMissed("$2")}
     )
     insert into cf_scan_finding (source_id, rel_path, kind, message, archive_id) values ($1, $4, 'ARCHIVE_REFUSED', $5, $3)
     on conflict (source_id, kind, cf_path_key(rel_path)) do update set message = excluded.message, last_seen_at = now()`,
    [sourceId, versionId, locationId, relPath, message],
  );
}
