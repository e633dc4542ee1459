import { insertAudit } from "../db/audit.ts";
import { transaction, type Queryable } from "../db/pool.ts";
import { upsertTopic } from "../db/topic.ts";
import type { TopicConfig } from "../domain/plugin.ts";
import { safeUrl } from "../domain/safe-url.ts";
import { topicUri } from "../sinks/topic-uri.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";

/**
 * Sets where outputs of a published plugin go, from its next job on. Returns the names of those that were another place or mode before.
 * Throws WrongUse for an unknown plugin, TerminalFailure SINK_URI or SINK_SCHEME for an address that no sink takes, and WrongUse for one
 * that holds a password.
 */
export async function setTopics({ db, actor }: ControlContext, plugin: string, topics: TopicConfig): Promise<readonly string[]> {
  return transaction(db, async (tx) => {
    await findPlugin(tx, plugin);
    return storeTopics(tx, actor, plugin, topics);
  });
}

/** The same inside another use case's transaction, also for a plugin that is just being published. */
export async function storeTopics(tx: Queryable, actor: string, plugin: string, topics: TopicConfig): Promise<readonly string[]> {
  const changed: string[] = [];
  for (const [output, topic] of topics) {
    const uri = topicUri(topic.uri, output);
    if (!(await upsertTopic(tx, plugin, output, { ...topic, uri }))) continue;
    changed.push(output);
    await insertAudit(tx, {
      actor,
      action: "topic.set",
      subject: `${plugin}/${output}`,
      detail: { uri: safeUrl(uri), mode: topic.mode },
    });
  }
  return changed;
}
