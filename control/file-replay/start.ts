import { WorkflowNotFoundError, type Client } from "@temporalio/client";
import { WorkflowIdConflictPolicy } from "@temporalio/common";
import { priorityKey, replayWorkflowId, signals, taskQueue, workflowTypes } from "../../workflows/names.ts";

/** Starts a replay's workflow; harmless where it runs. */
export async function startFileReplay(client: Client, replayId: string): Promise<void> {
  await client.workflow.start(workflowTypes.replayFiles, {
    workflowId: replayWorkflowId(replayId),
    taskQueue,
    args: [{ replayId }],
    staticSummary: `replay ${replayId}`,
    // Behind everything else.
    priority: { priorityKey: priorityKey(-10, { belated: true }) },
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
  });
}

/** Has its workflow look at the record at once, where it runs. */
export async function nudgeFileReplay(client: Client, replayId: string): Promise<void> {
  try {
    await client.workflow.getHandle(replayWorkflowId(replayId)).signal(signals.look);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
