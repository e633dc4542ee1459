import type { Client } from "@temporalio/client";
import { scanWorkflowId, signals, taskQueue, workflowTypes } from "../workflows/names.ts";

/**
 * Asks for a scan of a source: of these paths below its root, or of everything (`null`). A scan that is under way takes the request
 * up; otherwise one starts.
 */
export async function requestScan(client: Client, source: string, paths: readonly string[] | null): Promise<void> {
  await client.workflow.signalWithStart(workflowTypes.scanSource, {
    workflowId: scanWorkflowId(source),
    taskQueue,
    args: [{ source, paths: paths ?? undefined }],
    staticSummary: `scan of ${source}`,
    signal: signals.hint,
    signalArgs: [paths ?? undefined],
  });
}
