import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { execa } from "execa";
import { ensureTool } from "../../services/tools.ts";
import { quietLog } from "./quiet-log.ts";

/**
 * Saves the histories of a running system's closed workflows as JSON for the replay test, with Temporal's own command line:
 * `node test/support/save-histories.ts HOST:PORT NAME` writes `test/histories/NAME-<type>-<n>.json`.
 */
const [address, name] = process.argv.slice(2);
const root = resolve(import.meta.dirname, "../..");
const folder = join(root, "test/histories");
const temporal = await ensureTool("temporal", { stateDir: join(root, ".casparian/test"), log: quietLog });

interface Listed {
  readonly execution: { readonly workflowId: string; readonly runId: string };
  readonly type: { readonly name: string };
}

const list = await execa(temporal, ["workflow", "list", "--address", address!, "--query", 'ExecutionStatus!="Running"', "-o", "json"]);
await mkdir(folder, { recursive: true });
const counts = new Map<string, number>();
for (const { execution, type } of JSON.parse(list.stdout) as Listed[]) {
  const n = (counts.get(type.name) ?? 0) + 1;
  counts.set(type.name, n);
  const which = ["--workflow-id", execution.workflowId, "--run-id", execution.runId];
  const { stdout } = await execa(temporal, ["workflow", "show", ...which, "--address", address!, "-o", "json"]);
  await writeFile(join(folder, `${name}-${type.name}-${n}.json`), `${withoutTraces(stdout)}\n`);
}
console.log(Object.fromEntries(counts));

/** Leaves out what is of one machine: which worker it was, and where its code lies. */
function withoutTraces(json: string): string {
  return json
    .replaceAll(/"identity": *"[^"]*"/g, '"identity": "worker"')
    .replaceAll(/"stackTrace": *"(?:[^"\\]|\\.)*"/g, '"stackTrace": ""');
}
