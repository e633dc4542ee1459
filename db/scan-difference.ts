import type { Writable } from "node:stream";
import { from as copyFrom } from "pg-copy-streams";
import type { FileStat } from "../domain/file-version.ts";
import { limitKinds, type LimitKind, type SelectionLimits } from "../domain/selection.ts";
import { fromStatRow, type StatRow } from "./file-stat.ts";
import type { Queryable } from "./pool.ts";
import { settleTimeMs } from "./scan-pending.ts";

/**
 * The comparison of what a scan saw with the record. What was seen goes by COPY into a temporary table, one join leaves the differences
 * in another, and every later step works on those. So memory is flat, and a file that arrives late with an old mtime is found.
 */

/** How a file differs from the record. `RETURNED` is `REAPPEARED` under the very stat under which it vanished. */
export type FileChange = "NEW" | "CHANGED" | "REAPPEARED" | "RETURNED" | "VANISHED";

/** A connection keeps its temporary tables, and each transaction leaves them empty. */
const prepared = new WeakSet<Queryable>();

/** Makes this connection's temporary tables where it has none yet. */
export async function prepareSeen(db: Queryable): Promise<void> {
  if (prepared.has(db)) return;
  await db.query(
    `create temporary table if not exists cf_scan_seen (
       rel_path text not null, size_bytes bigint, mtime_ns bigint, ctime_ns bigint, inode bigint, finding text, message text
     ) on commit delete rows;
     create temporary table if not exists cf_scan_difference (
       change text not null, rel_path text not null, location_id bigint,
       size_bytes bigint, mtime_ns bigint, ctime_ns bigint, inode bigint, waits boolean not null
     ) on commit delete rows`,
  );
  prepared.add(db);
}

/** Begins anew within the transaction. */
export async function clearSeen(db: Queryable): Promise<void> {
  await db.query("truncate cf_scan_seen, cf_scan_difference");
}

/** Takes lines of `db/seen-line.ts`; finishes when Postgres has them all. */
export function openSeen(db: Queryable): Writable {
  return db.query(copyFrom("copy cf_scan_seen from stdin"));
}

/** Adds a finding as if the walk had met it. */
export async function addSeenFinding(db: Queryable, relPath: string, finding: string, message: string): Promise<void> {
  await db.query("insert into cf_scan_seen (rel_path, finding, message) values ($1, $2, $3)", [relPath, finding, message]);
}

export interface CompareRequest {
  readonly sourceId: string;
  /** Paths that were looked at, with everything below; null for the whole source. */
  readonly scope: readonly string[] | null;
  readonly settleMs: number;
  readonly limits: SelectionLimits;
  /** The scanning machine's time, by which files have settled or are too old. Milliseconds since 1970. */
  readonly nowMs: number;
}

/** Files that would be taken, were they within one of their source's limits. */
export interface LeftOut {
  readonly kind: LimitKind;
  readonly files: number;
  readonly bytes: number;
  /** A few of their paths. */
  readonly examples: readonly string[];
}

export interface Differences extends Readonly<Record<FileChange, number>> {
  /** Files to hash at once, and their bytes. */
  readonly ready: number;
  readonly readyBytes: number;
  /** Files that have not settled by their times. */
  readonly waits: number;
  /** Whether any file of the source is noted as waiting. */
  readonly pending: boolean;
  /** Whether the walk met any finding, or any is on record. */
  readonly findings: boolean;
  /** Of each limit that left something out. */
  readonly leftOut: readonly LeftOut[];
}

/**
 * Compares (size, mtime, ctime, inode). Where a folder could not be read, nothing below it is called vanished. A file outside of the limits
 * makes no difference: a new one is not recorded, and one on record stays as it is, whatever has become of it; it is neither gone nor
 * another version.
 */
export async function compareSeen(db: Queryable, request: CompareRequest): Promise<Differences> {
  const { sourceId, scope, settleMs, nowMs } = request;
  const outside = outsideCase(request);
  // So that the join of a large source hashes in memory and doesn't go over the disk.
  if (scope === null) await db.query("set local work_mem = '64MB'");
  const { rows } = await db.query<Differences>(
    `with known as (
       ${scope === null ? wholeSource : sourceWithin}
     ), met as materialized (
       select rel_path, finding from cf_scan_seen where finding is not null
     ), difference as (
       select
         case
           when s.rel_path is null then 'VANISHED'
           when k.id is null then 'NEW'
           when k.state = 'PRESENT' then 'CHANGED'
           when (k.size_bytes, k.mtime_ns, k.ctime_ns, k.inode) = (s.size_bytes, s.mtime_ns, s.ctime_ns, s.inode) then 'RETURNED'
           else 'REAPPEARED'
         end as change,
         coalesce(s.rel_path, k.rel_path) as rel_path, k.id as location_id, s.size_bytes, s.mtime_ns, s.ctime_ns, s.inode,
         ${outside ?? "null"} as outside
       from (select * from cf_scan_seen where finding is null) s
       full join known k on k.rel_path = s.rel_path
       where case
         when s.rel_path is null then k.state = 'PRESENT' and not exists (
           select from met m
           where m.finding = 'UNREADABLE' and (k.rel_path = m.rel_path or m.rel_path = '' or starts_with(k.rel_path, m.rel_path || '/')))
         when k.state = 'PRESENT' then (k.size_bytes, k.mtime_ns, k.ctime_ns, k.inode) <> (s.size_bytes, s.mtime_ns, s.ctime_ns, s.inode)
         else true
       end
     ), inserted as (
       insert into cf_scan_difference
       select change, rel_path, location_id, size_bytes, mtime_ns, ctime_ns, inode,
         change in ('NEW', 'CHANGED', 'REAPPEARED')
           and greatest(mtime_ns, ctime_ns) / 1000000 > $2::bigint - ${settleTimeMs("$3::bigint")}
       from difference where outside is null
       returning change, size_bytes, waits
     )
     select ${countEach}, (count(*) filter (where waits))::float8 as waits,
       (count(*) filter (where ${isReady}))::float8 as ready,
       coalesce(sum(size_bytes) filter (where ${isReady}), 0)::float8 as "readyBytes",
       exists (select from cf_scan_pending where source_id = $1) as pending,
       exists (select from met) or exists (select from cf_scan_finding where source_id = $1) as findings,
       ${outside === null ? "'[]'::jsonb" : leftOutByLimit} as "leftOut"
     from inserted`,
    [sourceId, nowMs, settleMs, ...(scope === null ? [] : [scope])],
  );
  return rows[0]!;
}

const countEach = ["NEW", "CHANGED", "REAPPEARED", "RETURNED", "VANISHED"]
  .map((change) => `(count(*) filter (where change = '${change}'))::float8 as "${change}"`)
  .join(", ");

const isReady = "change in ('NEW', 'CHANGED', 'REAPPEARED') and not waits";

/** SQL: the first limit that a file which would be taken is outside of; null where the source has no limits. `outsideLimits` says the same. */
function outsideCase({ limits, nowMs }: CompareRequest): string | null {
  const { sizeBytesMin, sizeBytesMax, ageMsMax } = limits;
  const conditions: Readonly<Record<LimitKind, string | null>> = {
    TOO_SMALL: sizeBytesMin > 0 ? `s.size_bytes < ${BigInt(sizeBytesMin)}` : null,
    TOO_LARGE: sizeBytesMax === null ? null : `s.size_bytes > ${BigInt(sizeBytesMax)}`,
    TOO_OLD: ageMsMax === null ? null : `s.mtime_ns < ${BigInt(Math.trunc(nowMs - ageMsMax)) * 1_000_000n}`,
  };
  const cases = limitKinds.flatMap((kind) => (conditions[kind] === null ? [] : [`when ${conditions[kind]} then '${kind}'`]));
  if (cases.length === 0) return null;
  const isBack =
    "k.state = 'VANISHED' and (k.size_bytes, k.mtime_ns, k.ctime_ns, k.inode) = (s.size_bytes, s.mtime_ns, s.ctime_ns, s.inode)";
  return `case when s.rel_path is null or ${isBack} then null ${cases.join(" ")} end`;
}

const leftOutByLimit = `coalesce((
  select jsonb_agg(jsonb_build_object('kind', kind, 'files', files, 'bytes', bytes, 'examples', (
    select jsonb_agg(rel_path) from (select rel_path from difference d where d.outside = kind limit 3) as example)) order by kind)
  from (select outside as kind, count(*) as files, sum(size_bytes) as bytes from difference where outside is not null group by outside)
    as counted), '[]')`;

/** Members of archives are left out: a walk doesn't see them. */
const wholeSource =
  "select id, rel_path, state, size_bytes, mtime_ns, ctime_ns, inode from cf_file_location where source_id = $1 and container_id is null";

/** By two indexes: the path itself, and what lies between `path/` and the last text that begins so. */
const sourceWithin = `
  select id, rel_path, state, size_bytes, mtime_ns, ctime_ns, inode from cf_file_location where container_id is null and id in (
    select l.id from unnest($4::text[]) as hint (path)
    join cf_file_location l on l.source_id = $1 and cf_path_key(l.rel_path) = cf_path_key(hint.path)
    union
    select l.id from unnest($4::text[]) as hint (path)
    join cf_file_location l on l.source_id = $1
      and left(l.rel_path, 200) collate "C" >= left(hint.path || '/', 200) collate "C"
      and left(l.rel_path, 200) collate "C" <= left(hint.path || '/', 200) || repeat(chr(1114111), 2) collate "C"
      and starts_with(l.rel_path, hint.path || '/'))`;

/** Forgets what the comparison missed, where its absence says nothing. */
export async function dismissVanished(db: Queryable): Promise<void> {
  await db.query("delete from cf_scan_difference where change = 'VANISHED'");
}

/** A file to hash. */
export interface Candidate {
  readonly relPath: string;
  /** `UNCOPIED`: as recorded, but without the copy that its source asks for (`db/snapshot.ts`). */
  readonly change: "NEW" | "CHANGED" | "REAPPEARED" | "UNCOPIED";
  readonly stat: FileStat;
}

/** Files of the comparison that have settled: by their times, or because their stat was observed for long enough. */
function settledFiles(sourceId: string, settleMs: number): string {
  // A cursor takes no parameters; both are numbers of ours.
  return `
    select d.rel_path as "relPath", d.change, d.size_bytes, d.mtime_ns, d.ctime_ns, d.inode
    from cf_scan_difference d
    left join cf_scan_pending p on d.waits and p.source_id = ${BigInt(sourceId)} and cf_path_key(p.rel_path) = cf_path_key(d.rel_path)
    where d.change in ('NEW', 'CHANGED', 'REAPPEARED', 'UNCOPIED')
      and (not d.waits or p.unchanged_since <= clock_timestamp() - ${settleTimeMs(String(Math.trunc(settleMs)), "d.ctime_ns")} * interval '1 ms')`;
}

/** All of them at once. */
export async function selectCandidates(db: Queryable, sourceId: string, settleMs: number): Promise<readonly Candidate[]> {
  const { rows } = await db.query<CandidateRow>(settledFiles(sourceId, settleMs));
  return rows.map(fromCandidateRow);
}

/** Opens a list of them for `fetchCandidates`, which outlives the transaction; closed by `closeCandidates`. */
export async function openCandidates(db: Queryable, sourceId: string, settleMs: number): Promise<void> {
  await db.query(`declare cf_scan_candidate cursor with hold for ${settledFiles(sourceId, settleMs)}`);
}

/** The next files of the list; empty at its end. */
export async function fetchCandidates(db: Queryable, count: number): Promise<readonly Candidate[]> {
  const { rows } = await db.query<CandidateRow>(`fetch forward ${count} from cf_scan_candidate`);
  return rows.map(fromCandidateRow);
}

export async function closeCandidates(db: Queryable): Promise<void> {
  await db.query("close cf_scan_candidate");
}

interface CandidateRow extends StatRow, Omit<Candidate, "stat"> {}

function fromCandidateRow(row: CandidateRow): Candidate {
  return { relPath: row.relPath, change: row.change, stat: fromStatRow(row) };
}
