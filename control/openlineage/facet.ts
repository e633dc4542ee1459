import { readFileSync } from "node:fs";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { readonly version: string };

export const productVersion = version;

/** Who says what an event says. */
export const producer = `urn:casparian-flow:${version}`;

export const runEventSchema = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/** The facets that we send, each with the version of its schema. */
const schemas = {
  schema: "1-2-0/SchemaDatasetFacet",
  dataSource: "1-0-1/DatasourceDatasetFacet",
  version: "1-0-1/DatasetVersionDatasetFacet",
  datasetType: "1-0-1/DatasetTypeDatasetFacet",
  hierarchy: "1-0-0/HierarchyDatasetFacet",
  lifecycleStateChange: "1-0-1/LifecycleStateChangeDatasetFacet",
  inputStatistics: "1-0-0/InputStatisticsInputDatasetFacet",
  outputStatistics: "1-0-2/OutputStatisticsOutputDatasetFacet",
  subset: "1-0-0/BaseSubsetDatasetFacet#/$defs/OutputSubsetOutputDatasetFacet",
  documentation: "1-1-0/DocumentationJobFacet",
  jobType: "2-0-4/JobTypeJobFacet",
  sourceCode: "1-0-1/SourceCodeJobFacet",
  errorMessage: "1-0-1/ErrorMessageRunFacet",
  processing_engine: "1-1-1/ProcessingEngineRunFacet",
  tags: "1-0-0/TagsRunFacet",
} as const;

/** A facet under its name, with its producer and schema; nothing where there is nothing to say. */
export function facet(name: keyof typeof schemas, content: Readonly<Record<string, unknown>> | null): Readonly<Record<string, unknown>> {
  if (content === null) return {};
  const [file = "", pointer] = schemas[name].split("#", 2);
  const schemaUrl = `https://openlineage.io/spec/facets/${file}.json#${pointer ?? `/$defs/${file.split("/")[1]}`}`;
  return { [name]: { _producer: producer, _schemaURL: schemaUrl, ...content } };
}
