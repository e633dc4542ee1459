import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Client, WorkflowHandle } from "@temporalio/client";
import { listJobs, type JobRow } from "../db/job-history.ts";
import { countWork, lastEndedScan, serverTime, totalScans, type ScanTotals, type WorkCount } from "../db/overview.ts";
import type { Database } from "../db/pool.ts";
import { listSources, type Source } from "../db/source-root.ts";
import { messageOf, ServiceUnreachable, TerminalFailure, WrongUse } from "../domain/failure.ts";
import type { ScanPace } from "../domain/scan-progress.ts";
import { priorityKey, scanWorkflowId, signals, taskQueueOf, workflowTypes } from "../workflows/names.ts";
import { askEachGroup, countWorkers } from "./count-workers.ts";
import { findSource, noSourceHint } from "./find-source.ts";
import { cancelOwnScan, followScan, requestMemo } from "./follow-scan.ts";
import { explainRouting, surveyRouting, type RoutingTrouble } from "./survey-routing.ts";
import { sourceAttribute } from "./schedules/wish.ts";

export interface ScanRequest {
  /** All active sources unless given. */
  readonly source?: string | undefined;
  /** Whether to return only when every file has settled and every job that follows has ended. */
  readonly wait: boolean;
  /** How long to wait at most; for ever where null. Milliseconds. */
  readonly timeoutMs: number | null;
}

export interface ScanContext {
  readonly db: Database;
  readonly temporal: Client;
  readonly signal: AbortSignal;
  /** Told at every change. */
  readonly onProgress: (progress: ScanStep) => void;
}

/** What is being done, and how far it is. */
export type ScanStep =
  | {
      readonly step: "scanning";
      readonly sources: readonly string[];
      /** How far each scan is, of those that take long enough to tell. */
      readonly scans: readonly (ScanPace & { readonly source: string })[];
    }
  | ({ readonly step: "processing" } & WorkCount);

export interface ScanOutcome {
  readonly sources: readonly (ScanTotals & { readonly source: string })[];
  readonly work: WorkCount;
  /** Jobs of these sources that failed since the scan began, newest first; 1,000 at most. */
  readonly failed: readonly JobRow[];
  /** Sources that were left out, because no worker of their group runs. */
  readonly unreached: readonly { readonly source: string; readonly workerGroup: string | null }[];
  /** Why there was nothing to do, or less than a person may expect. */
  readonly trouble: RoutingTrouble | null;
}

const failedMax = 1_000;

/**
 * Scans sources through Temporal, where the running system does it, and waits for what follows where asked for.
 * Throws WrongUse for no source or an unknown or paused one, ServiceUnreachable where no worker runs, TerminalFailure SCAN_FAILED and
 * SCAN_TIMEOUT.
 */
export async function scanSources(context: ScanContext, request: ScanRequest): Promise<ScanOutcome> {
  const { db } = context;
  const { reached: sources, unreached } = await findWorkers(context.temporal, await chooseSources(db, request.source));
  const sourceIds = sources.map((source) => source.id);
  const before = await Promise.all(sources.map(async (source) => ({ source, lastScan: await lastEndedScan(db, source.id) })));
  const since = await serverTime(db);
  const limited = withTimeout(context, request.timeoutMs);
  try {
    context.onProgress({ step: "scanning", sources: sources.map((source) => source.name), scans: [] });
    await runScans(limited, sources, request.wait);
    if (request.wait) await waitForWork(limited, sources, since);
  } catch (error) {
    if (context.signal.aborted || !limited.signal.aborted) throw error;
    throw timedOut(await countWork(db, sourceIds, since), request.timeoutMs!);
  }
  const totals = await Promise.all(
    before.map(async ({ source, lastScan }) => ({ source: source.name, ...(await totalScans(db, source.id, lastScan)) })),
  );
  return {
    sources: totals,
    work: await countWork(db, sourceIds, since),
    failed: await listJobs(db, { states: ["FAILED"], sourceIds, finishedSince: since, limit: failedMax }),
    unreached: unreached.map(({ name, workerGroup }) => ({ source: name, workerGroup })),
    trouble: explainRouting(await surveyRouting({ db }, sourceIds)),
  };
}

/** The sources that a request means. Throws WrongUse. */
export async function chooseSources(db: Database, name: string | undefined): Promise<readonly Source[]> {
  if (name !== undefined) {
    const source = await findSource(db, name);
    if (source.state === "ACTIVE") return [source];
    throw new WrongUse(`source ${name} is paused`, `casparian source resume ${name}`);
  }
  const sources = await listSources(db);
  if (sources.length === 0) throw new WrongUse("there is no source to scan", noSourceHint);
  const active = sources.filter((source) => source.state === "ACTIVE");
  if (active.length === 0) throw new WrongUse("every source is paused", `casparian source resume ${sources[0]!.name}`);
  return active;
}

/** How long a worker that is just starting is waited for. Milliseconds. */
const workerWaitMs = 10_000;

/** A request that nobody answers would wait for ever. Throws ServiceUnreachable where none of the sources has a worker. */
async function findWorkers(
  client: Client,
  sources: readonly Source[],
): Promise<{ readonly reached: readonly Source[]; readonly unreached: readonly Source[] }> {
  const served = await askEachGroup(sources, (group) => hasWorker(client, group));
  const reached = sources.filter((source) => served.get(source.workerGroup) === true);
  if (reached.length > 0) return { reached, unreached: sources.filter((source) => !reached.includes(source)) };
  const [group = null] = served.keys();
  const flag = group === null ? "" : ` --group ${group}`;
  throw new ServiceUnreachable({
    message: `no worker runs for the task queue ${taskQueueOf(group)} of namespace ${client.options.namespace}`,
    hint: `Start one: casparian worker${flag}, or casparian start${flag}`,
  });
}

async function hasWorker(client: Client, workerGroup: string | null): Promise<boolean> {
  const deadline = Date.now() + workerWaitMs;
  while ((await countWorkers(client, workerGroup)) === 0) {
    if (Date.now() > deadline) return false;
    await setTimeout(200);
  }
  return true;
}

function withTimeout(context: ScanContext, timeoutMs: number | null): ScanContext {
  if (timeoutMs === null) return context;
  return { ...context, signal: AbortSignal.any([context.signal, AbortSignal.timeout(timeoutMs)]) };
}

async function runScans(context: ScanContext, sources: readonly Source[], waitUntilSettled: boolean): Promise<void> {
  const { temporal, signal } = context;
  const requestId = randomUUID();
  const paces = new Map<string, ScanPace>();
  const scans = sources.map(async ({ name, workerGroup, priority }) => {
    const handle = await temporal.workflow.signalWithStart(workflowTypes.scanSource, {
      workflowId: scanWorkflowId(name),
      taskQueue: taskQueueOf(workerGroup),
      priority: { priorityKey: priorityKey(priority), fairnessKey: name },
      args: [{ source: name, waitUntilSettled }],
      staticSummary: `scan of ${name}`,
      typedSearchAttributes: [sourceAttribute(name)],
      memo: { [requestMemo]: requestId },
      signal: signals.hint,
      // A scan that is under way takes this for a request to look at everything again.
      signalArgs: [undefined],
    });
    const ended = new AbortController();
    const result = resultOf(name, handle, signal).finally(() => ended.abort());
    const onPace = (pace: ScanPace): void => {
      paces.set(name, pace);
      tellPaces(context, sources, paces);
    };
    const following = followScan(handle, onPace, AbortSignal.any([signal, ended.signal]));
    try {
      await (waitUntilSettled ? result : Promise.race([result, scannedOnce(handle, () => ended.signal.aborted, signal)]));
    } catch (error) {
      if (signal.aborted && !isTimeout(signal.reason)) await cancelOwnScan(handle, requestId);
      throw error;
    } finally {
      ended.abort();
      paces.delete(name);
      await following;
    }
  });
  // All of them are heard before the first failure is told, so that none goes on unheard.
  await Promise.allSettled(scans);
  await Promise.all(scans);
}

function tellPaces({ onProgress }: ScanContext, sources: readonly Source[], paces: ReadonlyMap<string, ScanPace>): void {
  onProgress({
    step: "scanning",
    sources: sources.map((source) => source.name),
    scans: [...paces].map(([source, pace]) => ({ source, ...pace })),
  });
}

/** Whoever gives up waiting lets the scan go on; whoever interrupts it wants it to stop. */
function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}

/**
 * A scan that was under way may be waiting for files to settle, which the one who doesn't wait is not interested in. The query is answered
 * after our signal was heard, so "waiting" means that everything was looked at since.
 */
async function scannedOnce(handle: WorkflowHandle, hasEnded: () => boolean, signal: AbortSignal): Promise<void> {
  while (!hasEnded()) {
    await setTimeout(pollMs, undefined, { signal });
    // Where the question is not answered, the workflow's result decides.
    const progress = await handle.query<{ readonly doing: string }>("progress").catch(() => null);
    if (progress?.doing === "waiting for files to settle") return;
  }
}

async function resultOf(source: string, handle: WorkflowHandle, signal: AbortSignal): Promise<void> {
  try {
    await untilAborted(handle.result(), signal);
  } catch (error) {
    if (signal.aborted) throw error;
    const cause = deepest(error);
    throw new TerminalFailure({
      code: "SCAN_FAILED",
      message: `source ${source} could not be scanned: ${messageOf(cause)}`,
      hint: "casparian doctor looks at every source; casparian source list shows the last scans",
      cause: error,
    });
  }
}

/** Temporal wraps a failure once for the workflow and once for the activity; the innermost one has the words. */
function deepest(error: unknown): unknown {
  let inner = error;
  while (inner instanceof Error && inner.cause !== undefined) inner = inner.cause;
  return inner;
}

/** Often enough for a person, and cheap: three counts over indexes. Milliseconds. */
const pollMs = 200;

async function waitForWork(context: ScanContext, sources: readonly Source[], since: Date): Promise<void> {
  const sourceIds = sources.map((source) => source.id);
  for (;;) {
    const work = await countWork(context.db, sourceIds, since);
    context.onProgress({ step: "processing", ...work });
    const unfinished = work.unplanned + work.queued + work.running;
    if (unfinished === 0 && work.unsettled === 0) return;
    // A scan that had begun without being asked to wait has ended before everything settled.
    if (unfinished === 0) await runScans(context, sources, true);
    await setTimeout(pollMs, undefined, { signal: context.signal });
  }
}

function timedOut(work: WorkCount, timeoutMs: number): TerminalFailure {
  const { unsettled, unplanned, queued, running } = work;
  return new TerminalFailure({
    code: "SCAN_TIMEOUT",
    message:
      `not done after ${timeoutMs / 1000} s: ${unsettled} files have not settled, ` +
      `${unplanned} versions are not planned, ${queued} jobs are queued and ${running} running`,
    hint: "What runs goes on; casparian jobs list shows it",
    data: { unsettled, unplanned, queued, running },
  });
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true })),
  ]);
}
