import type { JobState } from "../domain/job-state.ts";
import { isOpened } from "./archive.ts";
import type { Queryable } from "./pool.ts";

/** A file of a source with its newest version. */
export interface FileRow {
  readonly locationId: string;
  readonly source: string;
  readonly sourceId: string;
  /** Below the source's root. */
  readonly path: string;
  readonly state: "PRESENT" | "VANISHED";
  readonly vanishedAt: Date | null;
  readonly versions: number;
  readonly versionId: string;
  readonly sizeBytes: number;
  readonly contentHash: string;
  readonly detectedAt: Date;
  /** The newest version's jobs, by state. */
  readonly jobs: Readonly<Partial<Record<JobState, number>>>;
  /** Of a member: the path of the archive that it lies in. */
  readonly archive: string | null;
  /** Whether it is an archive that is there for its members, also where it was refused or is yet to be opened. */
  readonly isOpened: boolean;
}

export interface FileFilter {
  readonly sourceIds?: readonly string[] | undefined;
  readonly state?: "PRESENT" | "VANISHED" | undefined;
  /** Only files after this one, for the next page. */
  readonly afterId?: string | undefined;
  readonly limit: number;
}

/** Files on record, in the order in which they were found first. */
export async function listFiles(db: Queryable, filter: FileFilter): Promise<readonly FileRow[]> {
  const { rows } = await db.query<FileRow>(
    `select l.id as "locationId", s.name as source, s.id as "sourceId", l.rel_path as path, l.state,
       l.vanished_at as "vanishedAt", v.sequence as versions,
       v.id as "versionId", v.size_bytes::float8 as "sizeBytes", v.content_hash as "contentHash", v.detected_at as "detectedAt",
       coalesce((select jsonb_object_agg(state, n) from
         (select state, count(*) as n from cf_processing_job j where j.file_version_id = v.id group by state) as counted), '{}') as jobs,
       (select rel_path from cf_file_location archive where archive.id = l.container_id) as archive, ${isOpened} as "isOpened"
     from cf_file_location l
     join cf_source_root s on s.id = l.source_id
     join lateral (select * from cf_file_version where location_id = l.id order by sequence desc limit 1) v on true
     where ($1::bigint[] is null or s.id = any ($1)) and ($2::text is null or l.state = $2) and ($3::bigint is null or l.id > $3)
       and s.state <> 'REMOVED'
     order by l.id limit $4`,
    [filter.sourceIds ?? null, filter.state ?? null, filter.afterId ?? null, filter.limit],
  );
  return rows;
}

/** One version with the file that it is a version of. */
export interface VersionRow {
  readonly id: string;
  readonly sequence: number;
  readonly contentHash: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly detectedAt: Date;
  readonly locationId: string;
  readonly source: string;
  readonly sourceId: string;
  /** The source's root folder. */
  readonly root: string;
  readonly path: string;
  readonly state: "PRESENT" | "VANISHED";
  readonly vanishedAt: Date | null;
  /** Of a member: out of which version of which archive its bytes were first read. */
  readonly archive: ArchiveOfVersion | null;
  /** Of an archive that was to be opened: what became of it. */
  readonly opening: ArchiveOpening | null;
  /** The version of another file that this one was before a rename or a move; null where none is known. */
  readonly movedFrom: MovedVersion | null;
  /** What became of it by a rename or a move. */
  readonly movedTo: readonly MovedVersion[];
}

export interface ArchiveOfVersion {
  readonly path: string;
  readonly versionId: string;
  readonly sequence: number;
  readonly contentHash: string;
}

export interface ArchiveOpening {
  readonly state: "WAITING" | "OPENED" | "REFUSED" | "REPLACED";
  readonly members: number | null;
  readonly message: string | null;
}

export interface MovedVersion {
  readonly id: string;
  readonly source: string;
  readonly path: string;
}

/** All versions of one file, the first one first. */
export async function versionsOf(db: Queryable, locationId: string): Promise<readonly VersionRow[]> {
  return selectVersions(db, "l.id = $1", [locationId]);
}

export async function findVersion(db: Queryable, versionId: string): Promise<VersionRow | null> {
  const [version] = await selectVersions(db, "v.id = $1", [versionId]);
  return version ?? null;
}

/** Versions with this content, at whatever path: by file and sequence. */
export async function versionsByHash(db: Queryable, contentHash: string): Promise<readonly VersionRow[]> {
  return selectVersions(db, "v.content_hash = $1", [contentHash]);
}

/** Absolute paths at which a file may still have this content: it was the content of a version there. */
export async function placesOf(db: Queryable, contentHash: string): Promise<readonly string[]> {
  const { rows } = await db.query<{ path: string }>(
    `select distinct s.path || '/' || l.rel_path as path
     from cf_file_version v join cf_file_location l on l.id = v.location_id join cf_source_root s on s.id = l.source_id
     where v.content_hash = $1 and l.state = 'PRESENT' and l.container_id is null order by 1`,
    [contentHash],
  );
  return rows.map((row) => row.path);
}

const movedVersion = "jsonb_build_object('id', w.id::text, 'source', ws.name, 'path', wl.rel_path)";
const versionWithPlace =
  "cf_file_version w join cf_file_location wl on wl.id = w.location_id join cf_source_root ws on ws.id = wl.source_id";

async function selectVersions(db: Queryable, condition: string, values: readonly unknown[]): Promise<readonly VersionRow[]> {
  const { rows } = await db.query<VersionRow>(
    `select v.id, v.sequence, v.content_hash as "contentHash", v.size_bytes::float8 as "sizeBytes", v.modified_at as "modifiedAt",
       v.detected_at as "detectedAt", l.id as "locationId", s.name as source, s.id as "sourceId", s.path as root, l.rel_path as path,
       l.state, l.vanished_at as "vanishedAt",
       case when av.id is not null then jsonb_build_object(
         'path', al.rel_path, 'versionId', av.id::text, 'sequence', av.sequence, 'contentHash', av.content_hash) end as archive,
       case when a.state is not null then jsonb_build_object('state', a.state, 'members', a.members, 'message', a.message) end as opening,
       (select ${movedVersion} from ${versionWithPlace} where w.id = v.moved_from_version_id) as "movedFrom",
       (select coalesce(jsonb_agg(${movedVersion} order by w.id), '[]') from ${versionWithPlace} where w.moved_from_version_id = v.id) as "movedTo"
     from cf_file_version v
     join cf_file_location l on l.id = v.location_id
     join cf_source_root s on s.id = l.source_id
     left join cf_file_version av on av.id = v.container_version_id
     left join cf_file_location al on al.id = av.location_id
     left join cf_archive a on a.file_version_id = v.id
     where ${condition} order by l.id, v.sequence`,
    [...values],
  );
  return rows;
}

/** The members on record of an archive, each with its newest version, by path; those that are gone included. */
export async function membersOf(db: Queryable, locationId: string): Promise<readonly VersionRow[]> {
  return selectVersions(
    db,
    "l.container_id = $1 and not exists (select from cf_file_version n where n.location_id = l.id and n.sequence > v.sequence)",
    [locationId],
  );
}

export interface LocationRow {
  readonly locationId: string;
  readonly source: string;
  readonly path: string;
}

/** Files with this path below their root, or with this absolute path; of sources in use before those of removed ones. */
export async function findLocations(
  db: Queryable,
  wanted: { readonly path: string; readonly absolutePath: string; readonly source?: string | undefined },
): Promise<readonly LocationRow[]> {
  const { rows } = await db.query<LocationRow>(
    `select l.id as "locationId", s.name as source, l.rel_path as path
     from cf_file_location l join cf_source_root s on s.id = l.source_id
     where ($3::text is null or s.name = $3)
       and (cf_path_key(l.rel_path) = cf_path_key($1)
         or starts_with($2, rtrim(s.path, '/') || '/')
           and cf_path_key(l.rel_path) = cf_path_key(substr($2, length(rtrim(s.path, '/')) + 2)))
     order by s.state = 'REMOVED', l.id`,
    [wanted.path, wanted.absolutePath, wanted.source ?? null],
  );
  return rows;
}

/** Paths that end like the given one: what a person may have meant. At most 5. */
export async function pathsLike(db: Queryable, name: string): Promise<readonly LocationRow[]> {
  const { rows } = await db.query<LocationRow>(
    `select l.id as "locationId", s.name as source, l.rel_path as path
     from cf_file_location l join cf_source_root s on s.id = l.source_id
     where strpos(lower(l.rel_path), lower($1)) > 0 order by length(l.rel_path), l.id limit 5`,
    [name],
  );
  return rows;
}
