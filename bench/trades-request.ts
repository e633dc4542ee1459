import type { ArrowMessage } from "../domain/arrow.ts";
import type { Lineage } from "../domain/lineage.ts";
import type { OpenRequest } from "../sinks/sink.ts";

/** Of rows whose lineage isn't compared with anything. */
const anyLineage: Lineage = {
  sourceHash: "a".repeat(64),
  jobId: "1",
  fileVersionId: "1",
  processedAt: new Date(),
  pluginVersion: "trades@1",
};

/** How a bench opens a sink for the trades that it writes. */
export function tradesRequest(uri: string, schema: ArrowMessage, lineage: Lineage = anyLineage): OpenRequest {
  return {
    uri,
    mode: "append",
    output: "trades",
    jobId: lineage.jobId,
    attempt: 1,
    pluginName: "trades",
    locationId: "1",
    artifactHash: "b".repeat(64),
    relPath: "trades.csv",
    lineage,
    schema,
  };
}
