import type { JobToRun } from "../db/job.ts";
import type { FileVersion } from "../domain/file-version.ts";
import type { PluginArtifact } from "../domain/plugin.ts";
import type { Sinks } from "../sinks/registry.ts";
import type { OpenRequest, SinkWriter } from "../sinks/sink.ts";

/** What differs between the results of an attempt. */
export type ResultRequest = Pick<OpenRequest, "uri" | "mode" | "output" | "isJoining" | "schema">;

/** Opens the writers of one attempt: its results say the same of where they come from. */
export function resultWriters({
  job,
  version,
  artifact,
  sinks,
}: {
  readonly job: JobToRun;
  readonly version: FileVersion;
  readonly artifact: PluginArtifact;
  readonly sinks: Sinks;
}): (request: ResultRequest) => Promise<SinkWriter> {
  const origin = {
    jobId: job.id,
    attempt: job.attempt,
    pluginName: artifact.name,
    locationId: version.locationId,
    artifactHash: artifact.artifactHash,
    relPath: version.relPath,
    lineage: {
      sourceHash: version.contentHash,
      jobId: job.id,
      fileVersionId: version.id,
      processedAt: new Date(),
      pluginVersion: `${artifact.name}@${artifact.version}`,
    },
  };
  return (request) => sinks.forUri(request.uri).open({ ...request, ...origin });
}
