import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { historyFromJSON } from "@temporalio/common/lib/proto-utils.js";
import { Worker } from "@temporalio/worker";
import { expect, test } from "vitest";
import "../support/quiet-temporal.ts";
import { testWorkflowBundle } from "../support/workflow-bundle.ts";

/**
 * Histories of workflows as earlier builds have run them. A workflow that is under way when the product is updated goes on with the new
 * code, so the new code must take the same decisions on them. `test/support/save-histories.ts` saves more.
 */
const folder = resolve(import.meta.dirname, "../histories");
const names = readdirSync(folder).filter((name) => name.endsWith(".json"));

test("there are histories of every workflow", () => {
  for (const type of ["processFileVersion", "scanSource", "requestScan", "replayFiles"])
    expect(names.some((name) => name.includes(type))).toBe(true);
});

test.each(names)("%s is replayed with the same decisions", async (name) => {
  const history = historyFromJSON(JSON.parse(readFileSync(resolve(folder, name), "utf8")));
  const id = history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? "replayed";
  await Worker.runReplayHistory({ workflowBundle: { codePath: await testWorkflowBundle() } }, history, id);
});
