import {
  condition,
  continueAsNew,
  defineSignal,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from "@temporalio/workflow";
import type { ReplayFilesActivities, ReplayStep } from "../activities/replay-files.ts";
import { signals } from "./names.ts";

export interface ReplayFilesInput {
  readonly replayId: string;
}

const { handOut } = proxyLocalActivities<ReplayFilesActivities>({
  startToCloseTimeout: "1 minute",
  retry: { initialInterval: "200 ms", backoffCoefficient: 2, maximumInterval: "30 seconds" },
});

const lookSignal = defineSignal(signals.look);

/**
 * Has versions on record processed by a chosen artifact, a few at a time, until all have had their turn or the record says that it was stopped.
 *
 * The record decides everything: which versions are next, which jobs are under way, whether it goes on. This may be terminated, started twice or lost;
 * the next one goes on from there.
 */
export async function replayFiles({ replayId }: ReplayFilesInput): Promise<ReplayStep> {
  let isAsked = false;
  setHandler(lookSignal, () => void (isAsked = true));
  for (;;) {
    isAsked = false;
    const step = await handOut({ replayId });
    setCurrentDetails(describe(step));
    if (step.state !== "RUNNING") return step;
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof replayFiles>({ replayId });
    await condition(() => isAsked, step.nextInMs);
  }
}

function describe({ plugin, state, expected, handedOut, skipped, open }: ReplayStep): string {
  return `**${plugin}**: ${state}. ${handedOut - open} of ${expected} jobs ended, ${open} under way, ${skipped} had a result already`;
}
