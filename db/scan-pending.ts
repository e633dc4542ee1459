import { wholeSecondsMs } from "../domain/clock-resolution.ts";
import type { FileStat } from "../domain/file-version.ts";
import { toStatArrays } from "./file-stat.ts";
import type { Queryable } from "./pool.ts";

/** When files settle. The file's own times go by the scanning machine's clock, what was observed goes by the database's. */
export interface SettleClock {
  readonly settleMs: number;
  /** The scanning machine's time, milliseconds since 1970. */
  readonly nowMs: number;
}

/** SQL: how many milliseconds from now a waiting file may settle, by its times or because the same stat was observed for long enough. */
export function settlesInMs(nowMs: string, settleMs: string): string {
  return `least(
    greatest(mtime_ns, ctime_ns) / 1e6 - ${nowMs}::float8,
    extract(epoch from unchanged_since - clock_timestamp()) * 1000) + ${settleTimeMs(`${settleMs}::float8`)}`;
}

/**
 * SQL: how long a file must not have changed before it is hashed. The source's settle time, but never less than the resolution of the
 * file system's clock, where that counts in seconds; what changes within a finer one's tick waits in `scout/hash.ts`.
 */
export function settleTimeMs(settleMs: string, ctimeNs = "ctime_ns"): string {
  return `greatest(${settleMs}, case when ${ctimeNs} % 1000000000 = 0 then ${wholeSecondsMs} else 0 end)`;
}

/**
 * Notes the files of the comparison that have not settled: one whose stat has changed begins to wait anew. Those in scope that wait no
 * more (settled, gone, or as recorded again) are forgotten.
 */
export async function noteWaiting(db: Queryable, sourceId: string, scope: readonly string[] | null): Promise<void> {
  await db.query(
    `with waiting as (
       insert into cf_scan_pending as p (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode, unchanged_since)
       select $1, rel_path, size_bytes, mtime_ns, ctime_ns, inode, clock_timestamp() from cf_scan_difference where waits
       ${onConflictWaitAnew}
     )
     delete from cf_scan_pending p
     where source_id = $1 and ($2::text[] is null or cf_path_key(rel_path) in (select cf_path_key(path) from unnest($2) as hint (path)))
       and not exists (select from cf_scan_difference d where d.waits and d.rel_path = p.rel_path)`,
    [sourceId, scope],
  );
}

/** Notes files that changed while they were hashed. */
export async function noteChanging(
  db: Queryable,
  sourceId: string,
  files: readonly { readonly relPath: string; readonly stat: FileStat }[],
): Promise<void> {
  await db.query(
    `insert into cf_scan_pending as p (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode, unchanged_since)
     select $1, *, clock_timestamp() from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
     ${onConflictWaitAnew}`,
    [sourceId, files.map((file) => file.relPath), ...toStatArrays(files.map((file) => file.stat))],
  );
}

const onConflictWaitAnew = `
  on conflict (source_id, cf_path_key(rel_path)) do update
  set size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns, inode = excluded.inode,
    unchanged_since = case
      when (p.size_bytes, p.mtime_ns, p.ctime_ns, p.inode) = (excluded.size_bytes, excluded.mtime_ns, excluded.ctime_ns, excluded.inode)
      then p.unchanged_since else excluded.unchanged_since end`;

/** Paths that should have settled by now, at most `limit`. */
export async function duePaths(db: Queryable, sourceId: string, clock: SettleClock, limit: number): Promise<readonly string[]> {
  const { rows } = await db.query<{ rel_path: string }>(
    `select rel_path from cf_scan_pending where source_id = $1 and ${settlesInMs("$2", "$3")} <= 0 limit $4`,
    [sourceId, clock.nowMs, clock.settleMs, limit],
  );
  return rows.map((row) => row.rel_path);
}

/** Forgets files that don't wait for anything that time brings: they can't be read. */
export async function forgetWaiting(db: Queryable, sourceId: string, relPaths: readonly string[]): Promise<void> {
  await db.query(
    `delete from cf_scan_pending
     where source_id = $1 and cf_path_key(rel_path) in (select cf_path_key(path) from unnest($2::text[]) as gone (path))`,
    [sourceId, relPaths],
  );
}
