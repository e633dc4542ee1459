import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isAttemptAlive, sinkUris } from "../db/job.ts";
import type { Database } from "../db/pool.ts";
import { messageOf } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { defaultTopic, isOutputName } from "../domain/topic.ts";
import type { Sinks } from "../sinks/registry.ts";

/**
 * Removes what attempts that were killed have left staged, wherever results go. An attempt's ordinary end removes its own; this is
 * for those that had none. A target that can't be reached now is swept another time.
 */
export async function sweepStaging(options: {
  readonly db: Database;
  readonly sinks: Sinks;
  /** The folder below which outputs without a topic go. */
  readonly home: string;
  readonly log: Log;
}): Promise<void> {
  const { db, sinks, home, log } = options;
  const uris = new Set([...(await sinkUris(db)), ...(await unconfiguredTopics(home))]);
  for (const uri of uris) {
    try {
      const removed = await sinks.forUri(uri).sweep(uri, (jobId, attempt) => isAttemptAlive(db, jobId, attempt));
      if (removed.length > 0) log.info("staged files of ended attempts were removed", { target: uri, files: removed.length });
    } catch (error) {
      log.warn("a target could not be swept", { target: uri, reason: messageOf(error) });
    }
  }
}

/** Outputs for which nobody has configured a topic have left no trace in the record before their first commit, but a folder. A file may be DuckDB's. */
async function unconfiguredTopics(home: string): Promise<readonly string[]> {
  const entries = await readdir(join(home, "output"), { withFileTypes: true }).catch(() => []);
  const names = entries.flatMap((entry) => (entry.isFile() ? [] : [entry.name]));
  return names.filter(isOutputName).map((name) => defaultTopic(name).uri);
}
