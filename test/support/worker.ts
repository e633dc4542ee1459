import { Client } from "@temporalio/client";
import { NativeConnection, Worker } from "@temporalio/worker";
import { taskQueue as everyWorkersQueue } from "../../workflows/names.ts";
import "./quiet-temporal.ts";
import type { TestTemporal } from "./temporal.ts";
import { testWorkflowBundle } from "./workflow-bundle.ts";

export interface TestWorker {
  /** On the worker's own connection, as a worker of the product starts workflows. */
  readonly client: Client;
  /** Resolves when it has ended what it was doing. */
  readonly close: () => Promise<void>;
}

/** A worker of a test's namespace: the workflows as they are, with the activities that it is given; without any it runs workflows only. */
export async function testWorker(
  { address, namespace }: TestTemporal,
  activities?: (client: Client) => object,
  taskQueue = everyWorkersQueue,
): Promise<TestWorker> {
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowBundle: { codePath: await testWorkflowBundle() },
    // Progress and cancellations wait for it, for 8 seconds unless it is said; the product's worker has 2.
    maxHeartbeatThrottleInterval: "200 ms",
    ...(activities === undefined ? {} : { activities: activities(client) }),
  });
  const running = worker.run();
  return {
    client,
    async close() {
      worker.shutdown();
      await running;
      await connection.close();
    },
  };
}
