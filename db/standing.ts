import { ledgerColumns, type LedgerEntry } from "./job-output.ts";
import type { Queryable } from "./pool.ts";

/** A result that is about to be committed, among those that are committed already. */
export interface Standing {
  readonly entry: LedgerEntry;
  /** Results of its target whose place it takes. */
  readonly replaces: readonly (LedgerEntry & { readonly jobId: string })[];
  /** The job whose result is of a later version or run, so that this one comes too late to be seen; null for the newest. */
  readonly outdatedBy: string | null;
  /** With mode `error`: the job whose result of the same file is there already; null where there is none. */
  readonly refusedBy: string | null;
}

/**
 * How the results of a job stand to those of its targets, which nobody else changes until the end of the transaction. `replace` takes
 * the place of what the same plugin and output made of earlier versions of the same file, and of the same version by an earlier job,
 * with what has joined it; `overwrite` that of everything in the target. Results of `append` stand alone.
 */
export async function standingsOf(tx: Queryable, jobId: string, entries: readonly LedgerEntry[]): Promise<readonly Standing[]> {
  const ruled = entries.filter(({ mode }) => mode !== "append");
  if (ruled.length > 0) await lockTargets(tx, jobId, ruled);
  const standings: Standing[] = [];
  for (const entry of entries) standings.push(await standingOf(tx, jobId, entry));
  return standings;
}

/** The same for results that join others: they take nobody's place, and nobody takes that of what they join until the end of the transaction. */
export async function joiningStandings(tx: Queryable, jobId: string, entries: readonly LedgerEntry[]): Promise<readonly Standing[]> {
  const rivals = entries.flatMap((entry) => [
    { ...entry, mode: "replace" as const },
    { ...entry, mode: "overwrite" as const },
  ]);
  await lockTargets(tx, jobId, rivals);
  return entries.map((entry) => ({ entry, replaces: [], outdatedBy: null, refusedBy: null }));
}

/** One after the other and always in the same order, so that two jobs with several outputs don't wait for each other. */
async function lockTargets(tx: Queryable, jobId: string, entries: readonly LedgerEntry[]): Promise<void> {
  const { rows } = await tx.query<{ file: string }>(
    `select v.location_id || ' ' || j.plugin_name as file
     from cf_processing_job j join cf_file_version v on v.id = j.file_version_id where j.id = $1`,
    [jobId],
  );
  const keys = entries.map(({ uri, mode, output }) => (mode === "overwrite" ? uri : `${uri} ${rows[0]!.file} ${output}`));
  for (const key of [...new Set(keys)].toSorted())
    await tx.query("select pg_advisory_xact_lock(hashtextextended('casparian result ' || $1, 0))", [key]);
}

async function standingOf(tx: Queryable, jobId: string, entry: LedgerEntry): Promise<Standing> {
  if (entry.mode === "append") return { entry, replaces: [], outdatedBy: null, refusedBy: null };
  const others = await currentResults(tx, jobId, entry);
  if (entry.mode === "error") return { entry, replaces: [], outdatedBy: null, refusedBy: others[0]?.jobId ?? null };
  const newer = entry.mode === "replace" ? others.find(({ isNewer }) => isNewer) : undefined;
  return { entry, replaces: newer === undefined ? others : [], outdatedBy: newer?.jobId ?? null, refusedBy: null };
}

interface CurrentResult extends LedgerEntry {
  readonly jobId: string;
  /** Of a later version of the file, or of the same version by a later job; what has joined another is as new as that. */
  readonly isNewer: boolean;
}

/** What the target holds beside the job's own: of the same file, plugin and output, or, to overwrite, all of it. */
function currentResults(tx: Queryable, jobId: string, entry: Contested): Promise<readonly CurrentResult[]> {
  return otherResults(tx, jobId, entry, "o.state = 'COMMITTED' and o.replaced_at is null");
}

/** Results of other jobs for the same place that are staged, and may be visible where a worker died before it recorded that. */
export function pendingResults(tx: Queryable, jobId: string, entry: Contested): Promise<readonly LedgerEntry[]> {
  return otherResults(tx, jobId, entry, "o.state = 'STAGED'");
}

type Contested = Pick<LedgerEntry, "uri" | "output" | "mode">;

async function otherResults(
  tx: Queryable,
  jobId: string,
  { uri, mode, output }: Contested,
  condition: string,
): Promise<readonly CurrentResult[]> {
  const ofSameFile = "and v.location_id = mv.location_id and j.plugin_name = mj.plugin_name and o.output_name = $3";
  const { rows } = await tx.query<CurrentResult>(
    `select o.job_id as "jobId", (v.sequence, coalesce(o.replay_of, o.job_id)) > (mv.sequence, mj.id) as "isNewer", ${ledgerColumns}
     from cf_processing_job mj join cf_file_version mv on mv.id = mj.file_version_id,
       cf_job_output o join cf_processing_job j on j.id = o.job_id join cf_file_version v on v.id = o.file_version_id
     where mj.id = $1 and o.sink_uri = $2 and ${condition} and o.job_id <> $1
       ${mode === "overwrite" ? "and $3::text is not null" : ofSameFile}
     order by v.sequence desc, o.replay_of is not null, o.job_id desc`,
    [jobId, uri, output],
  );
  return rows;
}

/** Whether the same plugin and output have a result of another version of the file, or of this one by another job, in the target. */
export async function hasResult(db: Queryable, jobId: string, entry: Pick<LedgerEntry, "uri" | "output">): Promise<string | null> {
  const [other] = await currentResults(db, jobId, { ...entry, mode: "error" });
  return other?.jobId ?? null;
}

/** Notes whose place was taken by the job's results, once these are committed in the record. */
export async function recordReplaced(tx: Queryable, jobId: string, standings: readonly Standing[]): Promise<void> {
  for (const { entry, replaces, outdatedBy } of standings) {
    const replaced = replaces.map((other) => ({ jobId: other.jobId, output: other.output, by: jobId }));
    if (outdatedBy !== null) replaced.push({ jobId, output: entry.output, by: outdatedBy });
    if (replaced.length === 0) continue;
    await tx.query(
      `update cf_job_output o set replaced_at = now(), replaced_by = r.by
       from unnest($1::bigint[], $2::text[], $3::bigint[]) as r (job_id, output_name, by)
       where o.job_id = r.job_id and o.output_name = r.output_name and o.state = 'COMMITTED' and o.replaced_at is null`,
      [replaced.map((one) => one.jobId), replaced.map((one) => one.output), replaced.map((one) => one.by)],
    );
  }
}
