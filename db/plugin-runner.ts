import type { Queryable } from "./pool.ts";

/** Plugins, by name, and the runners that run them. */
export interface PluginRunner {
  readonly plugin: string;
  readonly runner: string;
}

export async function listPluginRunners(db: Queryable): Promise<readonly PluginRunner[]> {
  const { rows } = await db.query<PluginRunner>(`select plugin_name as plugin, runner from cf_plugin_runner order by plugin_name`);
  return rows;
}

/** Binds a plugin to a runner, or to none. Returns the one that it was bound to before. */
export async function setPluginRunner(db: Queryable, plugin: string, runner: string | null): Promise<string | null> {
  const { rows } = await db.query<{ runner: string }>(`delete from cf_plugin_runner where plugin_name = $1 returning runner`, [plugin]);
  if (runner !== null) await db.query(`insert into cf_plugin_runner (plugin_name, runner) values ($1, $2)`, [plugin, runner]);
  return rows[0]?.runner ?? null;
}

/** The runner that the job's plugin is bound to; null where it runs in the worker, and for a replay, which runs no plugin. */
export async function runnerOfJob(db: Queryable, jobId: string): Promise<string | null> {
  const { rows } = await db.query<{ runner: string }>(
    `select r.runner from cf_processing_job j join cf_plugin_runner r on r.plugin_name = j.plugin_name where j.id = $1 and j.replay_of is null`,
    [jobId],
  );
  return rows[0]?.runner ?? null;
}

/** The runner that a plugin of this name is bound to. */
export async function runnerOfPlugin(db: Queryable, plugin: string): Promise<string | null> {
  const { rows } = await db.query<{ runner: string }>(`select runner from cf_plugin_runner where plugin_name = $1`, [plugin]);
  return rows[0]?.runner ?? null;
}
