import type { OpenRequest } from "./sink.ts";

/** Names (version, content, artifact, output), and the job where it joins another; a target shows at most one result of this name. */
export function resultOf({ lineage, artifactHash, output, isJoining, jobId }: OpenRequest): string {
  const joining = isJoining === true ? [`job-${jobId}`] : [];
  return [lineage.fileVersionId, lineage.sourceHash, artifactHash, output, ...joining].join("/");
}

/** Whether two results are of one job: they differ in the output at most. */
export function areOfOneJob(result: string, other: string): boolean {
  return jobPart(result) === jobPart(other);
}

function jobPart(result: string): string {
  return result.split("/").slice(0, 3).join("/");
}
