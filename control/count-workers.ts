import type { Client } from "@temporalio/client";
import { taskQueueOf } from "../workflows/names.ts";

/** A worker that lives asks again at least once a minute; Temporal lists those of the last five. Milliseconds. */
const aliveForMs = 75_000;

/** Workers of a group, or any at all, that have asked this Temporal server for work lately. */
export async function countWorkers(client: Client, workerGroup: string | null = null): Promise<number> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueueOf(workerGroup) },
    // Workflow tasks; one worker polls for both kinds.
    taskQueueType: 1,
  });
  return (pollers ?? []).filter(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000 > Date.now() - aliveForMs).length;
}

/** What `ask` answers for each group that sources belong to; each is asked once. */
export async function askEachGroup<T>(
  sources: readonly { readonly workerGroup: string | null }[],
  ask: (workerGroup: string | null) => Promise<T>,
): Promise<ReadonlyMap<string | null, T>> {
  const groups = [...new Set(sources.map((source) => source.workerGroup))];
  return new Map(await Promise.all(groups.map(async (group) => [group, await ask(group)] as const)));
}
