import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { historyToJSON } from "@temporalio/common/lib/proto-utils.js";

/**
 * Saves the histories of a running system's closed workflows as JSON for the replay test: `node test/support/save-histories.ts HOST:PORT NAME
 * [QUERY]` writes `test/histories/NAME-<type>-<n>.json`. Which worker it was is left out.
 */
const [address, name, query = 'ExecutionStatus!="Running"'] = process.argv.slice(2);
const folder = resolve(import.meta.dirname, "../histories");
const connection = await Connection.connect({ address: address! });
const client = new Client({ connection });
await mkdir(folder, { recursive: true });
const counts = new Map<string, number>();
for await (const { workflowId, runId, type } of client.workflow.list({ query })) {
  const n = (counts.get(type) ?? 0) + 1;
  counts.set(type, n);
  const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  const json = historyToJSON(history).replaceAll(/"identity": *"[^"]*"/g, '"identity": "worker"');
  await writeFile(join(folder, `${name}-${type}-${n}.json`), `${json}\n`);
}
await connection.close();
console.log(Object.fromEntries(counts));
