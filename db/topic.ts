import type { SinkMode, Topic } from "../domain/topic.ts";
import type { TopicConfig } from "../domain/plugin.ts";
import type { Queryable } from "./pool.ts";

export interface TopicRow extends Topic {
  readonly plugin: string;
  readonly output: string;
  readonly updatedAt: Date;
}

/** What is configured for a plugin's outputs; an output that is missing here has the default topic. */
export async function topicsOf(db: Queryable, pluginName: string): Promise<TopicConfig> {
  const rows = await listTopics(db, pluginName);
  return new Map(rows.map(({ output, uri, mode }) => [output, { uri, mode }]));
}

/** All topics, or those of one plugin. */
export async function listTopics(db: Queryable, pluginName: string | null): Promise<readonly TopicRow[]> {
  const { rows } = await db.query<{ plugin: string; output: string; uri: string; mode: SinkMode; updatedAt: Date }>(
    `select plugin_name as plugin, output_name as output, uri, mode, updated_at as "updatedAt"
     from cf_topic where $1::text is null or plugin_name = $1 order by plugin_name, output_name`,
    [pluginName],
  );
  return rows;
}

/** Sets where an output goes. Returns false where it was set to just that already. */
export async function upsertTopic(db: Queryable, pluginName: string, output: string, topic: Topic): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into cf_topic as t (plugin_name, output_name, uri, mode) values ($1, $2, $3, $4)
     on conflict (plugin_name, output_name) do update set uri = excluded.uri, mode = excluded.mode, updated_at = now()
     where (t.uri, t.mode) is distinct from (excluded.uri, excluded.mode)`,
    [pluginName, output, topic.uri, topic.mode],
  );
  return rowCount === 1;
}
