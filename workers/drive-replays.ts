import type { Client } from "@temporalio/client";
import { startFileReplay } from "../control/file-replay/start.ts";
import { runningFileReplays } from "../db/file-replay.ts";
import type { Database } from "../db/pool.ts";

/** Has a workflow for each replay that has not ended: one that was asked for while nothing ran, or whose workflow was terminated or lost. */
export async function driveReplays(db: Database, client: Client): Promise<void> {
  for (const id of await runningFileReplays(db)) await startFileReplay(client, id);
}
