import type { Lineage } from "../../domain/lineage.ts";

/** The lineage columns' values as text, in their order; the time with the digits of its unit, microseconds. */
export function lineageTexts({ sourceHash, jobId, fileVersionId, processedAt, pluginVersion }: Lineage): readonly string[] {
  return [sourceHash, jobId, fileVersionId, processedAt.toISOString().replace("Z", "000Z"), pluginVersion];
}
