import { resolve } from "node:path";
import { workflowBundle } from "../../workers/workflow-bundle.ts";

/** Bundles of all runs; they are named by content, so sharing them is safe. */
export const bundleCache = resolve(import.meta.dirname, "../../.casparian/test/cache");

/** The workflows' bundle as the product makes it, made once for all runs until a workflow changes. */
export function testWorkflowBundle(): Promise<string> {
  return workflowBundle(bundleCache);
}
