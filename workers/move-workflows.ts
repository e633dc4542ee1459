import { WorkflowNotFoundError, type Client } from "@temporalio/client";
import { requeueVersion } from "../db/outbox.ts";
import type { Database } from "../db/pool.ts";
import { listSources, type Source } from "../db/source-root.ts";
import type { Log } from "../domain/log.ts";
import { fileVersionIdOf, scanWorkflowId, searchAttributes, taskQueueOf } from "../workflows/names.ts";

/** Moved at once for each source; the next turn goes on. */
const movedMax = 500;

/**
 * Takes up the work of sources that have been given to other workers: a workflow can't change its queue, and nobody may be left to ask
 * the one that it waits in. It is terminated, and started again by what starts it anyway. Returns how many.
 */
export async function moveWorkflows(options: {
  readonly db: Database;
  readonly client: Client;
  readonly log: Log;
  readonly requestScan: (source: Source) => Promise<void>;
}): Promise<number> {
  let moved = 0;
  for (const source of await listSources(options.db)) moved += await moveSource(options, source);
  return moved;
}

async function moveSource({ db, client, log, requestScan }: Parameters<typeof moveWorkflows>[0], source: Source): Promise<number> {
  const queue = taskQueueOf(source.workerGroup);
  const query = `ExecutionStatus = "Running" and ${searchAttributes.source} = "${source.name}" and TaskQueue != "${queue}"`;
  let moved = 0;
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    if (moved >= movedMax) break;
    if (!(await terminate(client, workflowId, runId, `the work of source ${source.name} is now done from ${queue}`))) continue;
    const fileVersionId = fileVersionIdOf(workflowId);
    if (fileVersionId !== null) await requeueVersion(db, fileVersionId);
    else if (workflowId === scanWorkflowId(source.name) && source.state === "ACTIVE") await requestScan(source);
    moved += 1;
  }
  if (moved > 0) log.info("workflows of a source were moved to its workers", { source: source.name, queue, workflows: moved });
  return moved;
}

/** False where it has ended by itself; the list lags behind. */
async function terminate(client: Client, workflowId: string, runId: string, reason: string): Promise<boolean> {
  try {
    await client.workflow.getHandle(workflowId, runId).terminate(reason);
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
