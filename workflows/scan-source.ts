import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from "@temporalio/workflow";
import type { ScanActivities, ScanOutcome } from "../activities/scan.ts";
import { collectHints } from "./hints.ts";
import { searchAttributes, signals } from "./names.ts";

export interface ScanSourceInput {
  readonly source: string;
  /** Paths below the root to look at, with everything below them; the whole source unless given. */
  readonly paths?: readonly string[] | null;
  /** False ends the workflow while files are still settling; a later scan takes them. True unless given. */
  readonly waitUntilSettled?: boolean;
  /** What an earlier run of this workflow has done already. */
  readonly done?: ScanTotals;
}

/** What all the scans of this workflow did together. */
export interface ScanTotals {
  readonly scans: number;
  /** By the scan that saw most, which is the one of the whole source where there was one. */
  readonly filesSeen: number;
  readonly filesUnchanged: number;
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesVanished: number;
  readonly filesReappeared: number;
  /** Still to settle. */
  readonly filesWaiting: number;
  readonly bytesHashed: number;
  /** On record for the source: what can't be taken, and why. */
  readonly findings: number;
  /** What an operator should know, where there is something. */
  readonly message: string | null;
}

export interface ScanSourceResult extends ScanTotals {
  /** A paused or removed source is left alone. */
  readonly outcome: "SCANNED" | "PAUSED" | "REMOVED";
}

export interface ScanSourceProgress extends ScanTotals {
  readonly doing: "scanning everything" | "scanning paths" | "dispatching" | "waiting for files to settle";
}

const long = proxyActivities<Pick<ScanActivities, "scan" | "dispatch">>({
  heartbeatTimeout: "30 seconds",
  // A bound for what hangs; a million files take minutes, terabytes to hash take days.
  startToCloseTimeout: "30 days",
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: "1 second", backoffCoefficient: 2, maximumInterval: "1 minute" },
});

const short = proxyLocalActivities<Pick<ScanActivities, "scanPaths" | "dispatchFew">>({
  startToCloseTimeout: "1 minute",
  retry: { initialInterval: "200 ms", backoffCoefficient: 2, maximumInterval: "30 seconds" },
});

const hintSignal = defineSignal<[(readonly string[] | string | null)?]>(signals.hint);
const dueSignal = defineSignal(signals.due);
const progressQuery = defineQuery<ScanSourceProgress>("progress");

/** A file that changes all the time is not looked at more often than this. Milliseconds. */
const pauseMsMin = 50;

/**
 * Scans a source and dispatches what it recorded; then goes on while hints come in or files have yet to settle.
 *
 * The input may be the source's name alone, as a person gives it to Temporal's command line. Signal `hint`: look at these paths too,
 * or, without any, at everything. Signal `due`: look at everything, unless that is just being done.
 */
export async function scanSource(input: string | ScanSourceInput): Promise<ScanSourceResult> {
  const request: ScanSourceInput = typeof input === "string" ? { source: input } : input;
  const { source, waitUntilSettled = true } = request;
  const hints = collectHints();
  hints.add(request.paths);
  let totals = request.done ?? nothingDone;
  let doing: ScanSourceProgress["doing"] = hints.areForEverything() ? "scanning everything" : "scanning paths";
  const nowDoing = (next: ScanSourceProgress["doing"]): void => {
    doing = next;
    setCurrentDetails(describe(source, next, totals));
  };
  setHandler(hintSignal, (paths) => hints.add(paths));
  // A scan that takes longer than its interval is not followed by another at once.
  setHandler(dueSignal, () => void (doing === "scanning everything" || hints.add(null)));
  setHandler(progressQuery, () => ({ ...totals, doing }));
  if (workflowInfo().searchAttributes[searchAttributes.source] === undefined) {
    upsertSearchAttributes({ [searchAttributes.source]: [source] });
  }

  for (;;) {
    const paths = hints.take();
    nowDoing(paths === null ? "scanning everything" : "scanning paths");
    const step = await inItsOwnWords(() => scan({ source, paths }));
    if (step.outcome !== "SCANNED") return { ...totals, outcome: step.outcome };
    totals = add(totals, step.report);
    nowDoing("dispatching");
    await inItsOwnWords(dispatch);

    const isSettled = step.nextSettleInMs === null || !waitUntilSettled;
    if (isSettled && !hints.areWaiting()) return { ...totals, outcome: "SCANNED" };
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof scanSource>({ source, paths: hints.take(), waitUntilSettled, done: totals });
    }
    nowDoing("waiting for files to settle");
    if (step.nextSettleInMs !== null) await condition(() => hints.areWaiting(), Math.max(pauseMsMin, step.nextSettleInMs));
  }
}

/** A few paths are scanned in a local activity, whose way is the shortest: one file takes some 13 ms in it. */
async function scan(input: { source: string; paths: readonly string[] | null }): Promise<ScanOutcome> {
  const quick = input.paths === null ? null : await short.scanPaths(input);
  return quick ?? long.scan(input);
}

async function dispatch(): Promise<void> {
  if (!(await short.dispatchFew())) await long.dispatch();
}

/** The activity's failure says what is wrong; Temporal's would say that an activity failed. */
async function inItsOwnWords<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure) throw error.cause;
    throw error;
  }
}

/** What Temporal's Web UI shows of the workflow, as Markdown. The pending activity's heartbeat there has the numbers of the present step. */
function describe(source: string, doing: ScanSourceProgress["doing"], totals: ScanTotals): string {
  const found = `${totals.filesSeen} files seen, ${totals.filesNew} new, ${totals.filesChanged} changed, ${totals.filesVanished} vanished`;
  return [
    `Source **${source}**: ${doing}`,
    ...(totals.scans === 0 ? [] : [`Done so far: ${found}, ${totals.filesWaiting} still to settle, ${totals.findings} findings`]),
    ...(totals.message === null ? [] : [totals.message]),
  ].join("\n\n");
}

const nothingDone: ScanTotals = {
  scans: 0,
  filesSeen: 0,
  filesUnchanged: 0,
  filesNew: 0,
  filesChanged: 0,
  filesVanished: 0,
  filesReappeared: 0,
  filesWaiting: 0,
  bytesHashed: 0,
  findings: 0,
  message: null,
};

function add(totals: ScanTotals, report: Omit<ScanTotals, "scans">): ScanTotals {
  const largest = report.filesSeen >= totals.filesSeen ? report : totals;
  return {
    scans: totals.scans + 1,
    filesSeen: largest.filesSeen,
    filesUnchanged: largest.filesUnchanged,
    filesNew: totals.filesNew + report.filesNew,
    filesChanged: totals.filesChanged + report.filesChanged,
    filesVanished: totals.filesVanished + report.filesVanished,
    filesReappeared: totals.filesReappeared + report.filesReappeared,
    filesWaiting: report.filesWaiting,
    bytesHashed: totals.bytesHashed + report.bytesHashed,
    findings: report.findings,
    message: report.message ?? totals.message,
  };
}
