import { WorkflowExecutionAlreadyStartedError, type Client } from "@temporalio/client";
import { defineSearchAttributeKey, SearchAttributeType } from "@temporalio/common";
import { NativeConnection } from "@temporalio/worker";
import type { Source } from "../db/source-root.ts";
import { priorityKey, scanWorkflowId, searchAttributes, signals, taskQueueOf, workflowTypes } from "../workflows/names.ts";

/** What is to be looked at: these paths below the root, everything, or everything unless a scan of it is under way. */
export type ScanWish = readonly string[] | "everything" | "due";

/**
 * Asks for a scan of a source. A scan that is under way takes the request up; otherwise one starts, on the queue of the source's workers.
 *
 * Mostly none is under way, and an eager start hands its first task over with the answer: some 10 ms less than signal-with-start.
 */
export async function requestScan(
  client: Client,
  source: Pick<Source, "name" | "priority" | "workerGroup">,
  wish: ScanWish,
): Promise<void> {
  const { name, priority, workerGroup } = source;
  const paths = typeof wish === "string" ? undefined : wish;
  const options = {
    workflowId: scanWorkflowId(name),
    taskQueue: taskQueueOf(workerGroup),
    args: [{ source: name, paths }],
    staticSummary: `scan of ${name}`,
    typedSearchAttributes: [{ key: sourceKey, value: name }],
    priority: { priorityKey: priorityKey(priority), fairnessKey: name },
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
    const signal = wish === "due" ? { signal: signals.due, signalArgs: [] } : { signal: signals.hint, signalArgs: [paths] };
    await client.workflow.signalWithStart(workflowTypes.scanSource, { ...options, ...signal });
  }
}

const sourceKey = defineSearchAttributeKey(searchAttributes.source, SearchAttributeType.KEYWORD);
