import { WorkflowNotFoundError, type Client } from "@temporalio/client";
import { quietVersions } from "../db/job.ts";
import { requeueVersion } from "../db/outbox.ts";
import type { Database } from "../db/pool.ts";
import type { Log } from "../domain/log.ts";
import { fileVersionWorkflowId } from "../workflows/names.ts";

/** A job that has not moved for so long is looked after. Longer than the heartbeat timeout, so that Temporal's own retry comes first. Seconds. */
const quietSeconds = 60;

/**
 * Finds jobs that nobody drives any more and sends them through the outbox again: their workflow was terminated by hand, or
 * Temporal's history was lost or restored from before. Jobs whose workflow still runs are left alone. Returns how many versions.
 */
export async function rescueJobs(db: Database, client: Client, log: Log): Promise<number> {
  let rescued = 0;
  for (const fileVersionId of await quietVersions(db, quietSeconds)) {
    if (await isRunning(client, fileVersionWorkflowId(fileVersionId))) continue;
    await requeueVersion(db, fileVersionId);
    log.warn("a file version had unfinished jobs and no workflow; it is started again", { fileVersion: fileVersionId });
    rescued += 1;
  }
  return rescued;
}

async function isRunning(client: Client, workflowId: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    return status.name === "RUNNING";
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
