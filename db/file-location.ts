import { isOpened } from "./archive.ts";
import type { Queryable } from "./pool.ts";

/** Marks the files that the comparison missed (`db/scan-difference.ts`) as vanished, with the time. */
export async function markVanished(db: Queryable): Promise<void> {
  await db.query(
    `update cf_file_location l set state = 'VANISHED', vanished_at = now()
     from cf_scan_difference d where d.change = 'VANISHED' and l.id = d.location_id`,
  );
}

/** Marks the files that are back under the very stat under which they vanished as present: nothing says that their content changed. */
export async function markReturned(db: Queryable): Promise<void> {
  await db.query(
    `update cf_file_location l set state = 'PRESENT', vanished_at = null
     from cf_scan_difference d where d.change = 'RETURNED' and l.id = d.location_id`,
  );
}

/** Whether a file, members of archives aside, would still be present once those that the comparison missed are marked. */
export async function keepsPresent(db: Queryable, sourceId: string): Promise<boolean> {
  const { rows } = await db.query<{ keeps: boolean }>(
    `select exists (
       select from cf_file_location l where l.source_id = $1 and l.state = 'PRESENT' and l.container_id is null
         and not exists (select from cf_scan_difference d where d.change = 'VANISHED' and d.location_id = l.id)) as keeps`,
    [sourceId],
  );
  return rows[0]?.keeps === true;
}

/** A file that is there, as it was when its newest version was hashed. */
export interface PresentFile {
  readonly locationId: string;
  readonly sourceId: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly modifiedAtMs: number;
  /** Whether it is an archive that is there for its members, also where it was refused or is yet to be opened. */
  readonly isOpened: boolean;
}

const pageSize = 10_000;

/** Present files of sources in use, or of some of these, page by page in the order of their ids. */
export async function* presentFiles(db: Queryable, sourceIds?: readonly string[]): AsyncGenerator<readonly PresentFile[]> {
  let afterId = "0";
  for (;;) {
    const page = await pageOfPresent(db, sourceIds, afterId);
    yield page;
    if (page.length < pageSize) return;
    afterId = page.at(-1)!.locationId;
  }
}

async function pageOfPresent(db: Queryable, sourceIds: readonly string[] | undefined, afterId: string): Promise<readonly PresentFile[]> {
  const { rows } = await db.query<PresentFile>(
    `select l.id as "locationId", l.source_id as "sourceId", l.rel_path as path, l.size_bytes::float8 as "sizeBytes",
       l.mtime_ns / 1e6::float8 as "modifiedAtMs",
       ${isOpened} as "isOpened"
     from cf_file_location l join cf_source_root s on s.id = l.source_id and s.state <> 'REMOVED'
     where l.state = 'PRESENT' and l.id > $1 and ($2::bigint[] is null or s.id = any ($2))
     order by l.id limit $3`,
    [afterId, sourceIds ?? null, pageSize],
  );
  return rows;
}

/** How many files of a source are present, members of archives aside, counted up to `atMost`. */
export async function countPresent(db: Queryable, sourceId: string, atMost: number): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int as count from (
       select from cf_file_location where source_id = $1 and state = 'PRESENT' and container_id is null limit $2) as present`,
    [sourceId, atMost],
  );
  return rows[0]!.count;
}
