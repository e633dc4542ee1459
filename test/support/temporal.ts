import { Client, Connection } from "@temporalio/client";
import { msToTs } from "@temporalio/common/lib/time.js";
import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { ensureSearchAttributes } from "../../services/search-attributes.ts";

export interface TestTemporal {
  readonly address: string;
  /** Of this test file alone, so that workflow ids such as `file-version:1` don't meet. */
  readonly namespace: string;
  readonly connection: Connection;
  readonly client: Client;
  readonly close: () => Promise<void>;
}

/** A fresh namespace of the run's Temporal server, with our search attributes; one for each test file, closed in `afterAll`. */
export async function testTemporal(): Promise<TestTemporal> {
  const address = inject("temporalAddress");
  const namespace = `test-${randomBytes(6).toString("hex")}`;
  const connection = await Connection.connect({ address });
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs("1 day") });
  await ensureSearchAttributes(connection, namespace);
  const client = new Client({ connection, namespace });
  return { address, namespace, connection, client, close: () => connection.close() };
}
