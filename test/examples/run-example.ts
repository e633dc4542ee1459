import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { createBatchReader } from "../../arrow/column.ts";
import { textReader } from "../../arrow/text.ts";
import { lockPlugin } from "../../bridge/environments.ts";
import { columnsOf } from "../../contracts/screen.ts";
import type { TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import type { ArrowMessage } from "../../domain/arrow.ts";
import { createRunner, type Collected } from "../bridge/run-plugin.ts";
import { pythonWith } from "../support/python-environment.ts";
import { testTools } from "../support/tools.ts";

/** A row as the product's own reader tells it: exact text of each value, without those that are null. */
export type Row = Readonly<Record<string, string>>;

export interface Ran {
  /** Of an output, or of the plugin's own. */
  rows(output?: string): readonly Row[];
  types(output?: string): Readonly<Record<string, string>>;
  /** What was set aside: place and reason. */
  readonly aside: readonly string[];
  /** The same rows whole, by the output that they were set aside from. */
  rejected(output?: string): readonly Row[];
  /** Rows of each output. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface Example {
  /** `input` is a file's content, or the path of one; `settings` replaces constants at the top of the example. */
  run(input: Uint8Array | string | { readonly path: string }, settings?: Readonly<Record<string, string>>): Promise<Ran>;
  fail(input: Uint8Array | string | { readonly path: string }, settings?: Readonly<Record<string, string>>): Promise<string>;
}

const folder = join(import.meta.dirname, "../../examples");

/** A file of test/examples/data. */
export const data = (name: string): { readonly path: string } => ({ path: join(import.meta.dirname, "data", name) });

export const bytesOf = (name: string): Buffer => readFileSync(data(name).path);

/** An example in the bridge as it is when published: sandboxed, in the environment that its own script block locks. */
export async function loadExample(name: string): Promise<Example> {
  const source = readFileSync(join(folder, `${name}.py`), "utf8");
  const tools = testTools();
  const python = await pythonWith((await lockPlugin({ uv: tools.uv, interpreter: tools.python, source })).environment);
  const runner = createRunner();
  const asked = (input: Parameters<Example["run"]>[0], settings: Readonly<Record<string, string>> = {}) => ({
    source: withSettings(source, settings),
    python,
    ...(typeof input === "string" || input instanceof Uint8Array ? { input } : { inputPath: input.path }),
  });
  return {
    run: async (input, settings) => ranOf(await runner.run(asked(input, settings))),
    fail: async (input, settings) => wordsOf(await runner.fail(asked(input, settings))),
  };
}

/** As a user edits them: `NAME = …` at the beginning of a line, which may go on to a bracket that closes it. */
function withSettings(source: string, settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings).reduce((text, [name, value]) => {
    const assigned = new RegExp(`^${name}(?:: .*)? = (?:[[{(]\\n[^]*?^[\\]})]|.*)$`, "m");
    expect(text).toMatch(assigned);
    return text.replace(assigned, () => `${name} = ${value}`);
  }, source);
}

function wordsOf(failure: TerminalFailure | TransientFailure): string {
  expect(failure.code).toBe("PLUGIN_RAISED");
  return failure.message.replace(/^plugin inline raised /, "");
}

function ranOf(collected: Collected): Ran {
  const messages = (output: string): readonly ArrowMessage[] => collected.messages.get(output) ?? [];
  const rows = (output: string) => rowsOf(messages(output));
  // What the plugin says that it sent is what arrived, and nothing is set aside from an output that is not there.
  for (const { output, rowsSent } of collected.outputs) expect(rows(output)).toHaveLength(rowsSent);
  const setAside = [...collected.messages.keys()].filter((name) => name.startsWith("_quarantine"));
  for (const name of setAside) expect(collected.messages.has(name === "_quarantine" ? "output" : name.slice(12))).toBe(true);
  return {
    rows: (output = "output") => rows(output),
    types: (output = "output") => Object.fromEntries(columnsOf(messages(output)[0]!).map(({ name, type }) => [name, type])),
    aside: setAside.flatMap(rows).map((row) => `${row["_cf_position"]}: ${row["_cf_reason"]}`),
    rejected: (output) => rows(output === undefined ? "_quarantine" : `_quarantine.${output}`),
    counts: Object.fromEntries(collected.outputs.map(({ output, rowsSent }) => [output, rowsSent])),
  };
}

function rowsOf(messages: readonly ArrowMessage[]): readonly Row[] {
  const [schema, ...others] = messages;
  if (schema === undefined) return [];
  const reader = createBatchReader(schema);
  return others.flatMap((message) => {
    const batch = reader.read(message);
    if (batch === null) return [];
    const columns = batch.columns.map((column) => [column.field.name, textReader(column)] as const);
    return Array.from({ length: batch.rows }, (_, at) =>
      Object.fromEntries(columns.flatMap(([name, text]) => (text(at) === null ? [] : [[name, text(at)!]]))),
    );
  });
}
