import { setTimeout } from "node:timers/promises";
import { defaultPayloadConverter } from "@temporalio/common";
import type { WorkflowHandle } from "@temporalio/client";
import type { ScanPace } from "../domain/scan-progress.ts";

/** Heartbeats arrive every two seconds. */
const followEveryMs = 1_000;

/** Tells how far a scan is, from the heartbeats of its activity, until the signal aborts; a short scan has none. Never throws. */
export async function followScan(handle: WorkflowHandle, onPace: (pace: ScanPace) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await setTimeout(followEveryMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    // Where the question is not answered, the workflow's result decides.
    const pace = await readPace(handle).catch(() => null);
    if (pace !== null) onPace(pace);
  }
}

async function readPace(handle: WorkflowHandle): Promise<ScanPace | null> {
  const { raw } = await handle.describe();
  for (const { heartbeatDetails } of raw.pendingActivities ?? []) {
    const [payload] = heartbeatDetails?.payloads ?? [];
    const details = payload == null ? null : defaultPayloadConverter.fromPayload<Partial<ScanPace> | null>(payload);
    if (details?.step !== undefined && details.filesPerSecond !== undefined) return details as ScanPace;
  }
  return null;
}

/** The memo of a scan's workflow by which whoever started it knows it again. */
export const requestMemo = "casparianRequest";

/** How long a cancelled scan is waited for. Milliseconds. */
const endMsMax = 5_000;

/**
 * Cancels a scan that this request has started, and waits a little for its end. One that was under way before, by a schedule or for
 * somebody else, goes on. Returns whether it was cancelled. Never throws.
 */
export async function cancelOwnScan(handle: WorkflowHandle, requestId: string): Promise<boolean> {
  try {
    const { memo, status } = await handle.describe();
    if (status.name !== "RUNNING" || memo?.[requestMemo] !== requestId) return false;
    await handle.cancel();
    await Promise.race([handle.result().catch(() => {}), setTimeout(endMsMax, undefined, { ref: false })]);
    return true;
  } catch {
    return false;
  }
}
