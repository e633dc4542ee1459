import { resolve } from "node:path";
import { workflowBundle } from "../../workers/workflow-bundle.ts";

/** The workflows' bundle as the product makes it, made once for all runs until a workflow changes. */
export function testWorkflowBundle(): Promise<string> {
  return workflowBundle(resolve(import.meta.dirname, "../../.casparian/test/cache"));
}
