import { join } from "node:path";
import type { RunEvent, RunFacts, RunOutput } from "../../db/run-event.ts";
import { safeUrl } from "../../domain/safe-url.ts";
import { inputDataset, outputDataset, type DatasetName } from "./dataset.ts";
import { facet, producer, productVersion, runEventSchema } from "./facet.ts";
import { staticUuid } from "./run-id.ts";

/** What is the same for all events of one record and configuration. */
export interface EventContext {
  /** Tells this record's jobs from those of others. */
  readonly recordId: string;
  readonly namespace: string;
  /** Whether plugins' source code is sent. */
  readonly sourceCode: boolean;
}

/**
 * A RunEvent of OpenLineage 2-0-2. A run is an attempt, its job is the plugin, its input the file, its outputs the tables and folders. Made of
 * what never changes in the record, so that the same event is the same text however often it is made.
 */
export function toOpenLineage(event: RunEvent, facts: RunFacts, context: EventContext): Readonly<Record<string, unknown>> {
  const runId = runIdOf(event, facts, context);
  return {
    eventType: event.kind,
    eventTime: event.occurredAt.toISOString(),
    producer,
    schemaURL: runEventSchema,
    run: { runId, facets: runFacets(event, facts) },
    job: { namespace: context.namespace, name: facts.plugin, facets: jobFacets(event, facts, context) },
    inputs: [input(facts)],
    outputs: event.kind === "COMPLETE" ? facts.outputs.map((output) => describeOutput(output, runId)) : [],
  };
}

function runIdOf(event: RunEvent, { startedAt }: RunFacts, { recordId }: EventContext): string {
  return staticUuid(startedAt ?? event.occurredAt, `${recordId}/${event.jobId}/${event.attempt ?? "unbegun"}`);
}

function runFacets(event: RunEvent, facts: RunFacts): Readonly<Record<string, unknown>> {
  const failed = event.kind === "FAIL" || event.kind === "ABORT";
  const tags = {
    job: event.jobId,
    attempt: event.attempt ?? "none began",
    file_version: facts.fileVersionId,
    plugin_version: facts.pluginVersion,
    artifact: facts.artifactHash,
  };
  return {
    ...facet("processing_engine", { version: productVersion, name: "Casparian Flow" }),
    ...facet("tags", {
      tags: Object.entries(tags).map(([key, value]) => ({ key: `casparian.${key}`, value: String(value), source: "CASPARIAN" })),
    }),
    ...facet("errorMessage", failed ? { message: describeError(event), programmingLanguage: "PYTHON" } : null),
  };
}

function describeError({ errorCode, errorMessage }: RunEvent): string {
  if (errorMessage === null) return errorCode ?? "its worker ended before the attempt did";
  return errorCode === null ? errorMessage : `${errorCode}: ${errorMessage}`;
}

function jobFacets({ kind }: RunEvent, facts: RunFacts, { sourceCode }: EventContext): Readonly<Record<string, unknown>> {
  const description = facts.pluginDescription;
  return {
    ...facet("jobType", { processingType: "BATCH", integration: "CASPARIAN", jobType: "PLUGIN" }),
    ...facet("documentation", description === null ? null : { description }),
    ...facet("sourceCode", sourceCode && kind === "START" ? { language: "PYTHON", sourceCode: facts.sourceCode } : null),
  };
}

function input(facts: RunFacts): Readonly<Record<string, unknown>> {
  const dataset = inputDataset(facts);
  const { archivePath, root, path, contentHash, sizeBytes } = facts;
  const levels =
    archivePath === null
      ? null
      : [
          { type: "ARCHIVE", name: join(root, archivePath) },
          { type: "FILE", name: path.slice(archivePath.length + "!/".length) },
        ];
  return {
    namespace: dataset.namespace,
    name: dataset.name,
    facets: {
      ...placeFacets(dataset),
      ...facet("version", { datasetVersion: contentHash }),
      ...facet("hierarchy", levels === null ? null : { hierarchy: levels }),
    },
    inputFacets: facet("inputStatistics", { size: sizeBytes, fileCount: 1 }),
  };
}

function describeOutput(output: RunOutput, runId: string): Readonly<Record<string, unknown>> {
  const dataset = outputDataset(output);
  const { columns, mode, rows, bytes, target } = output;
  return {
    namespace: dataset.namespace,
    name: dataset.name,
    facets: {
      ...placeFacets(dataset),
      ...facet("schema", { fields: columns.map(({ name, type }, i) => ({ name, type, ordinal_position: i + 1 })) }),
      ...facet("version", { datasetVersion: runId }),
      ...facet("lifecycleStateChange", mode === "overwrite" ? { lifecycleStateChange: "OVERWRITE" } : null),
    },
    outputFacets: {
      ...facet("outputStatistics", { rowCount: rows, size: bytes }),
      ...facet("subset", { outputCondition: { type: "location", locations: [safeUrl(target)] } }),
    },
  };
}

function placeFacets({ source, kind }: DatasetName): Readonly<Record<string, unknown>> {
  return { ...facet("dataSource", source), ...facet("datasetType", { datasetType: kind }) };
}
