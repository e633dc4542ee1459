import type { FileReplayProgress, FileReplayState } from "../domain/file-replay.ts";
import type { Queryable } from "./pool.ts";

/** Which versions on record a replay is for. */
export interface FileReplayScope {
  readonly pluginId: string;
  readonly pluginName: string;
  /** A glob; null for what the plugin's rules take. */
  readonly pattern: string | null;
  readonly sourceId: string | null;
  readonly since: Date | null;
  readonly allVersions: boolean;
  /** Jobs at most; null for all. */
  readonly versionsMax: number | null;
}

export interface FileReplay extends FileReplayScope, Omit<FileReplayProgress, "open"> {
  readonly id: string;
  readonly pluginVersion: string;
  readonly sourceName: string | null;
  /** Jobs under way at once. */
  readonly atOnce: number;
  readonly untilVersion: string;
  readonly actor: string;
  readonly requestedAt: Date;
  readonly endedAt: Date | null;
  /** Why it stopped, where nobody stopped it. */
  readonly reason: string | null;
  readonly locationAt: string;
  readonly versionAt: string;
  /** Why its artifact was rejected since; null where it was not. */
  readonly pluginRejected: string | null;
}

const selectReplays = `
  select r.id, r.plugin_id as "pluginId", r.plugin_name as "pluginName", p.version as "pluginVersion", r.pattern, r.source_id as "sourceId",
    s.name as "sourceName", r.since, r.all_versions as "allVersions", r.versions_max as "versionsMax", r.at_once as "atOnce",
    r.until_version as "untilVersion", r.expected, r.actor, r.requested_at as "requestedAt", r.state, r.reason, r.ended_at as "endedAt",
    r.location_at as "locationAt", r.version_at as "versionAt", r.handed_out as "handedOut", r.skipped, p.rejected_reason as "pluginRejected"
  from cf_file_replay r join cf_plugin_manifest p on p.id = r.plugin_id left join cf_source_root s on s.id = r.source_id`;

/** The newest first. */
export async function listFileReplays(db: Queryable, limit: number): Promise<readonly FileReplay[]> {
  const { rows } = await db.query<FileReplay>(`${selectReplays} order by r.id desc limit $1`, [limit]);
  return rows;
}

/** Null for an unknown one. */
export async function findFileReplay(db: Queryable, id: string): Promise<FileReplay | null> {
  const { rows } = await db.query<FileReplay>(`${selectReplays} where r.id = $1`, [id]);
  return rows[0] ?? null;
}

/** Nobody else hands out its jobs, stops or resumes it until the end of the transaction. */
export async function lockFileReplay(tx: Queryable, id: string): Promise<FileReplay | null> {
  const { rows } = await tx.query<FileReplay>(`${selectReplays} where r.id = $1 for update of r`, [id]);
  return rows[0] ?? null;
}

/** Ids of those that have not ended. */
export async function runningFileReplays(db: Queryable): Promise<readonly string[]> {
  const { rows } = await db.query<{ id: string }>("select id from cf_file_replay where state = 'RUNNING' order by id");
  return rows.map(({ id }) => id);
}

export type NewFileReplay = FileReplayScope & Pick<FileReplay, "atOnce" | "untilVersion" | "expected" | "actor">;

export async function insertFileReplay(tx: Queryable, replay: NewFileReplay): Promise<string> {
  const { rows } = await tx.query<{ id: string }>(
    `insert into cf_file_replay (plugin_id, plugin_name, pattern, source_id, since, all_versions, versions_max, at_once, until_version, expected, actor)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id`,
    [
      replay.pluginId,
      replay.pluginName,
      replay.pattern,
      replay.sourceId,
      replay.since,
      replay.allVersions,
      replay.versionsMax,
      replay.atOnce,
      replay.untilVersion,
      replay.expected,
      replay.actor,
    ],
  );
  return rows[0]!.id;
}

/** The last version that was recorded; 0 where there is none. */
export async function lastVersionId(db: Queryable): Promise<string> {
  const { rows } = await db.query<{ id: string }>("select coalesce(max(id), 0)::text as id from cf_file_version");
  return rows[0]!.id;
}

export async function setFileReplayState(tx: Queryable, id: string, state: FileReplayState, reason: string | null = null): Promise<void> {
  await tx.query(
    "update cf_file_replay set state = $2, reason = $3, ended_at = case when $2 = 'RUNNING' then null else clock_timestamp() end where id = $1",
    [id, state, reason],
  );
}

/** Notes how far it has come. */
export async function advanceFileReplay(
  tx: Queryable,
  id: string,
  { locationAt, versionAt, handedOut, skipped }: Pick<FileReplay, "locationAt" | "versionAt" | "handedOut" | "skipped">,
): Promise<void> {
  await tx.query("update cf_file_replay set location_at = $2, version_at = $3, handed_out = $4, skipped = $5 where id = $1", [
    id,
    locationAt,
    versionAt,
    handedOut,
    skipped,
  ]);
}
