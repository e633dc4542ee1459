import { listPlugins } from "../db/plugin.ts";
import { listTopics as selectTopics } from "../db/topic.ts";
import { defaultTopic, type SinkMode } from "../domain/topic.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";

export interface TopicPlace {
  readonly plugin: string;
  readonly output: string;
  readonly uri: string;
  readonly mode: SinkMode;
  /** False for an output that nobody has configured, which goes to its default place. */
  readonly configured: boolean;
}

/** Where the rows of each plugin go: configured topics, and the default place of a manifest's topic. Throws WrongUse for an unknown plugin. */
export async function listTopics({ db }: ControlContext, plugin?: string): Promise<readonly TopicPlace[]> {
  if (plugin !== undefined) await findPlugin(db, plugin);
  const configured = (await selectTopics(db, plugin ?? null)).map(({ plugin: name, output, uri, mode }) => ({
    plugin: name,
    output,
    uri,
    mode,
    configured: true,
  }));
  const active = (await listPlugins(db, plugin ?? null)).filter(({ state }) => state === "ACTIVE");
  const defaults = active
    .filter(({ name, manifest }) => !configured.some((topic) => topic.plugin === name && topic.output === manifest.topic))
    .map(({ name, manifest }) => ({ plugin: name, output: manifest.topic, ...defaultTopic(manifest.topic), configured: false }));
  return [...configured, ...defaults].toSorted((a, b) => a.plugin.localeCompare(b.plugin) || a.output.localeCompare(b.output));
}
