import { messageOf, WrongUse } from "./failure.ts";

export const sinkModes = ["append", "replace", "overwrite", "error"] as const;
export type SinkMode = (typeof sinkModes)[number];

/** Where the rows of one output of a plugin go. */
export interface Topic {
  readonly uri: string;
  readonly mode: SinkMode;
}

/** Where an output goes when nobody has configured it: a folder under the working folder. */
export function defaultTopic(output: string): Topic {
  return { uri: `parquet://output/${output}`, mode: "append" };
}

/** Output names become folder and table names, so they are kept to letters, digits, `_`, `-` and `.`, 100 at most, no leading dot. */
export function isOutputName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(name);
}

/**
 * Reads `{"output_topic": {"uri": "parquet://./output", "mode": "append"}}`; `mode` is `append` unless given.
 * Throws WrongUse that names the topic and the field.
 */
export function parseTopicConfig(json: string): ReadonlyMap<string, Topic> {
  const example = `{"output_topic": {"uri": "parquet://./output", "mode": "append"}}`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (error) {
    throw new WrongUse(`the topic configuration is not JSON: ${messageOf(error)}`, `Give it like ${example}`);
  }
  if (!isRecord(parsed)) throw new WrongUse("the topic configuration is not a JSON object", `Give it like ${example}`);
  const topics = new Map<string, Topic>();
  for (const [name, value] of Object.entries(parsed)) topics.set(name, parseTopic(name, value));
  return topics;
}

function parseTopic(name: string, value: unknown): Topic {
  if (!isOutputName(name)) throw new WrongUse(`"${name}" is not a topic name`, "Use letters, digits, _, - and .");
  if (!isRecord(value)) throw new WrongUse(`topic ${name}: expected an object with "uri" and "mode"`);
  const unknown = Object.keys(value).find((key) => key !== "uri" && key !== "mode");
  if (unknown !== undefined) throw new WrongUse(`topic ${name}: unknown key "${unknown}"`, `A topic has "uri" and "mode"`);
  const { uri, mode = "append" } = value;
  if (typeof uri !== "string" || !uri.includes("://"))
    throw new WrongUse(`topic ${name}: "uri" must be a sink URI such as parquet://./output`);
  const known = sinkModes.find((candidate) => candidate === mode);
  if (known === undefined) throw new WrongUse(`topic ${name}: unknown mode ${JSON.stringify(mode)}`, `Modes are ${sinkModes.join(", ")}`);
  return { uri, mode: known };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
