import type { Client } from "@temporalio/client";
import { startOrSignal } from "../activities/start-or-signal.ts";
import { sourceAttribute } from "../control/schedules/wish.ts";
import type { Source } from "../db/source-root.ts";
import { priorityKey, scanWorkflowId, signals, taskQueueOf, workflowTypes } from "../workflows/names.ts";

/** What is to be looked at: these paths below the root, everything, or everything unless a scan of it is under way. */
export type ScanWish = readonly string[] | "everything" | "due";

/** Asks for a scan of a source. A scan that is under way takes the request up; otherwise one starts, on the queue of the source's workers. */
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
    typedSearchAttributes: [sourceAttribute(name)],
    priority: { priorityKey: priorityKey(priority), fairnessKey: name },
  };
  const signal = wish === "due" ? { name: signals.due, args: [] } : { name: signals.hint, args: [paths] };
  await startOrSignal(client, { workflowType: workflowTypes.scanSource, options, signal });
}
