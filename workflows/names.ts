/** Names that clients, workers and people at Temporal's own command line share. */

export const taskQueue = "casparian";

/** The queue of a source's work: that of its group of workers, or the one that every worker asks. */
export function taskQueueOf(workerGroup: string | null): string {
  return workerGroup === null ? taskQueue : `${taskQueue}:${workerGroup}`;
}

export const workflowTypes = {
  processFileVersion: "processFileVersion",
  scanSource: "scanSource",
  requestScan: "requestScan",
  replayFiles: "replayFiles",
} as const;

/**
 * `processFileVersion`: plan again, because a job was queued anew; cancel one job by id. `scanSource`: look at these paths, or at
 * everything; a scan of everything is due, which is nothing new to one that is under way. `replayFiles`: look at the record now.
 */
export const signals = { replan: "replan", cancelJob: "cancelJob", hint: "hint", due: "due", look: "look" } as const;

/** Keyword attributes by which an operator finds workflows; `CasparianPlugin` is a list. */
export const searchAttributes = {
  source: "CasparianSource",
  path: "CasparianPath",
  plugin: "CasparianPlugin",
  state: "CasparianState",
} as const;

export function fileVersionWorkflowId(fileVersionId: string): string {
  return `file-version:${fileVersionId}`;
}

/** Null for a workflow of another kind. */
export function fileVersionIdOf(workflowId: string): string | null {
  return /^file-version:(\d+)$/.exec(workflowId)?.[1] ?? null;
}

export function scanWorkflowId(sourceName: string): string {
  return `scan:${sourceName}`;
}

export function replayWorkflowId(replayId: string): string {
  return `replay:${replayId}`;
}

/** The Temporal Schedule of a source. */
export function scheduleId(sourceName: string): string {
  return `scan:${sourceName}`;
}

/** Temporal appends the time: `request-scan:inbox-2026-11-21T22:55:00Z`. */
export function requestWorkflowId(sourceName: string): string {
  return `request-scan:${sourceName}`;
}

/** Temporal's five steps, 1 first, for a source's priority; what is done belatedly goes one step behind. */
export function priorityKey(sourcePriority: number, options: { readonly belated?: boolean } = {}): number {
  const step = sourcePriority >= 10 ? 1 : sourcePriority > 0 ? 2 : sourcePriority === 0 ? 3 : sourcePriority > -10 ? 4 : 5;
  return options.belated === true ? Math.min(5, step + 1) : step;
}

/** SQL visibility stores keep 255 characters of a keyword; of a longer path the end says most. */
export function pathAttribute(relPath: string): string {
  return relPath.length <= 250 ? relPath : `…${relPath.slice(-249)}`;
}
