import { WorkflowExecutionAlreadyStartedError, type Client } from "@temporalio/client";
import { NativeConnection } from "@temporalio/worker";
import { scanWorkflowId, signals, taskQueue, workflowTypes } from "../workflows/names.ts";

/**
 * Asks for a scan of a source: of these paths below its root, or of everything (`null`). A scan that is under way takes the request
 * up; otherwise one starts.
 *
 * Mostly none is under way, and an eager start hands its first task over with the answer: some 10 ms less than signal-with-start.
 */
export async function requestScan(client: Client, source: string, paths: readonly string[] | null): Promise<void> {
  const options = {
    workflowId: scanWorkflowId(source),
    taskQueue,
    args: [{ source, paths: paths ?? undefined }],
    staticSummary: `scan of ${source}`,
  };
  try {
    await client.workflow.start(workflowTypes.scanSource, {
      ...options,
      workflowIdConflictPolicy: "FAIL",
      requestEagerStart: client.connection instanceof NativeConnection,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    // It may end before the signal reaches it: then this starts the next one.
    await client.workflow.signalWithStart(workflowTypes.scanSource, { ...options, signal: signals.hint, signalArgs: [paths ?? undefined] });
  }
}
