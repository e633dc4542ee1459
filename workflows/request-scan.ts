import { proxyLocalActivities } from "@temporalio/workflow";
import type { RequestScanActivities, ScanRequested } from "../activities/request-scan.ts";

const { askForScan } = proxyLocalActivities<RequestScanActivities>({
  startToCloseTimeout: "10 seconds",
  retry: { initialInterval: "200 ms", backoffCoefficient: 2, maximumInterval: "30 seconds" },
});

/**
 * What a source's schedule starts: asks `scan:<source>` to look at everything.
 *
 * The schedule can't start that one itself, because Temporal gives whatever a schedule starts an id of its own: two scans of one source
 * would meet, and hints would not reach the one that runs.
 */
export async function requestScan(source: string): Promise<ScanRequested> {
  return askForScan({ source });
}
