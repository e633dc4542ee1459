import { enqueue } from "./outbox.ts";
import type { Queryable } from "./pool.ts";

/** How the jobs of a replay stand: how many are in each state. */
export type FileReplayCounts = Readonly<Record<string, number>>;

/** Jobs that have not ended are counted under the state that they are in. */
export async function countReplayJobs(db: Queryable, replayId: string): Promise<FileReplayCounts> {
  const { rows } = await db.query<{ state: string; n: number }>(
    `select coalesce(j.state, r.state) as state, count(*)::float8 as n
     from cf_file_replay_job r left join cf_processing_job j on j.id = r.job_id and r.state = 'OPEN'
     where r.replay_id = $1 group by 1 order by 1`,
    [replayId],
  );
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
}

/** Notes how jobs ended; returns how many, and how many have not. */
export async function settleReplayJobs(tx: Queryable, replayId: string): Promise<{ readonly settled: number; readonly open: number }> {
  const { rowCount } = await tx.query(
    `update cf_file_replay_job r set state = j.state from cf_processing_job j
     where r.replay_id = $1 and r.state = 'OPEN' and j.id = r.job_id and j.state not in ('QUEUED', 'RUNNING', 'HELD')`,
    [replayId],
  );
  const { rows } = await tx.query<{ open: number }>(
    "select count(*)::int as open from cf_file_replay_job where replay_id = $1 and state = 'OPEN'",
    [replayId],
  );
  return { settled: rowCount ?? 0, open: rows[0]!.open };
}

/** How many of these versions there are in each state of their job by this artifact; null for those that have none. */
export async function jobStates(
  db: Queryable,
  versionIds: readonly string[],
  pluginId: string,
): Promise<ReadonlyMap<string, string | null>> {
  const { rows } = await db.query<{ id: string; state: string | null }>(
    `select v.id, j.state from unnest($1::bigint[]) as v (id)
     left join cf_processing_job j on j.file_version_id = v.id and j.plugin_id = $2 and j.replay_of is null`,
    [versionIds, pluginId],
  );
  return new Map(rows.map(({ id, state }) => [id, state]));
}

/**
 * Gives each of the versions, none of which has a result of the artifact, its job: a new one, the one that waits already, or the one that ended without a
 * result, queued again. They are put into the outbox, behind what is new.
 */
export async function handOutVersions(
  tx: Queryable,
  replay: { readonly id: string; readonly pluginId: string; readonly pluginName: string },
  versionIds: readonly string[],
): Promise<void> {
  const { id, pluginId, pluginName } = replay;
  const made = await tx.query<{ id: string }>(
    `insert into cf_processing_job (file_version_id, plugin_id, plugin_name)
     select id, $1, $2 from unnest($3::bigint[]) as v (id) order by id
     on conflict (file_version_id, plugin_id) where replay_of is null do nothing returning id`,
    [pluginId, pluginName, versionIds],
  );
  const again = await tx.query<{ id: string }>(
    `update cf_processing_job set state = 'QUEUED', error_code = null, error_message = null, error_hint = null, finished_at = null
     where file_version_id = any ($2::bigint[]) and plugin_id = $1 and replay_of is null and state in ('FAILED', 'CANCELLED', 'SUPERSEDED')
     returning id`,
    [pluginId, versionIds],
  );
  // A statement of its own, which sees a job that somebody else has made meanwhile.
  await tx.query(
    `insert into cf_file_replay_job (replay_id, job_id, is_own)
     select $1, id, id = any ($4::bigint[]) from cf_processing_job
     where file_version_id = any ($3::bigint[]) and plugin_id = $2 and replay_of is null and state in ('QUEUED', 'RUNNING', 'HELD')
     on conflict (replay_id, job_id) do update set state = 'OPEN', is_own = excluded.is_own`,
    [id, pluginId, versionIds, [...made.rows, ...again.rows].map((job) => job.id)],
  );
  await offerReplayed(tx, versionIds);
}

/** Takes back what waits and has not begun: those jobs are cancelled, until the replay goes on. Returns how many. */
export async function withdrawWaiting(tx: Queryable, replayId: string): Promise<number> {
  const { rowCount } = await tx.query(
    `with waiting as (
       select j.id from cf_file_replay_job r join cf_processing_job j on j.id = r.job_id
       where r.replay_id = $1 and r.state = 'OPEN' and r.is_own and j.state = 'QUEUED' order by j.id for update of j
     ), cancelled as (
       update cf_processing_job j set state = 'CANCELLED', finished_at = now(), error_code = 'CANCELLED',
         error_message = 'replay ' || $1::text || ' was stopped before it began', error_hint = 'casparian replay resume ' || $1::text
       from waiting where j.id = waiting.id returning j.id
     )
     update cf_file_replay_job r set state = 'WITHDRAWN' from cancelled where r.replay_id = $1 and r.job_id = cancelled.id`,
    [replayId],
  );
  return rowCount ?? 0;
}

/** Versions whose jobs were withdrawn and have no result since; at most so many. Those that have one are noted. */
export async function takeWithdrawn(tx: Queryable, replayId: string, limit: number): Promise<readonly string[]> {
  await tx.query(
    `update cf_file_replay_job r set state = j.state from cf_processing_job j
     where r.replay_id = $1 and r.state = 'WITHDRAWN' and j.id = r.job_id and j.state in ('COMPLETED', 'PARTIAL', 'SKIPPED')`,
    [replayId],
  );
  const { rows } = await tx.query<{ id: string }>(
    `select j.file_version_id as id from cf_file_replay_job r join cf_processing_job j on j.id = r.job_id
     where r.replay_id = $1 and r.state = 'WITHDRAWN' order by r.job_id limit $2`,
    [replayId, limit],
  );
  return rows.map(({ id }) => id);
}

/** Whether jobs were withdrawn and have not been handed out again. */
export async function countWithdrawn(tx: Queryable, replayId: string): Promise<number> {
  const { rows } = await tx.query<{ n: number }>(
    "select count(*)::int as n from cf_file_replay_job where replay_id = $1 and state = 'WITHDRAWN'",
    [replayId],
  );
  return rows[0]!.n;
}

/** A row that is there already keeps its own, more urgent reason, and is dispatched again. */
async function offerReplayed(tx: Queryable, versionIds: readonly string[]): Promise<void> {
  await tx.query(`${enqueue("REPLAY", versionsInOrder)} on conflict (file_version_id) do update set started_at = null`, [versionIds]);
}

/** Two replays that meet take the rows in one order. */
const versionsInOrder = `cf_file_version v join cf_file_location l on l.id = v.location_id join cf_source_root s on s.id = l.source_id
     where v.id = any ($1::bigint[]) order by v.id`;
