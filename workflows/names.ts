/** Names that clients, workers and people at Temporal's own command line share. */

export const taskQueue = "casparian";

export const workflowTypes = { processFileVersion: "processFileVersion", scanSource: "scanSource" } as const;

/** `processFileVersion`: plan again, because a job was queued anew; cancel one job by id. `scanSource`: look at these paths, or at everything. */
export const signals = { replan: "replan", cancelJob: "cancelJob", hint: "hint" } as const;

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

export function scanWorkflowId(sourceName: string): string {
  return `scan:${sourceName}`;
}

/** SQL visibility stores keep 255 characters of a keyword; of a longer path the end says most. */
export function pathAttribute(relPath: string): string {
  return relPath.length <= 250 ? relPath : `…${relPath.slice(-249)}`;
}
