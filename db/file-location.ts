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
