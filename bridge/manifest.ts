import { join, parse } from "node:path";
import { TerminalFailure } from "../domain/failure.ts";
import type { PluginManifest, PluginProcess } from "../domain/plugin.ts";
import { isOutputName } from "../domain/topic.ts";
import { ParserGaveUp, parsePython } from "./parse-python.ts";
import { readScriptBlock } from "./script-block.ts";

export interface ParsedPlugin {
  readonly manifest: PluginManifest;
  /** Imported modules by their top-level name, without those of Python itself. */
  readonly imports: readonly string[];
  /** Names of outputs that stand in the code, beside the manifest's topic. */
  readonly publishes: readonly string[];
  /** Whether it declares what it needs in a script block. */
  readonly hasDependencies: boolean;
  /** What the manifest says of them, if it does. */
  readonly name: string | undefined;
  readonly version: string | undefined;
  /** What is odd about it but works, such as a key of the manifest that nobody reads. Sentences. */
  readonly notices: readonly string[];
}

/** What manifest.py tells. */
interface Told {
  readonly syntax?: { readonly message: string; readonly line: number | null; readonly text: string };
  readonly handler: string;
  readonly manifest: { readonly value?: unknown; readonly wrong?: string; readonly line?: number };
  readonly imports: readonly string[];
  readonly publishes: readonly string[];
}

const script = join(import.meta.dirname, "python", "manifest.py");
const knownKeys = ["pattern", "patterns", "topic", "name", "version", "description", "process"];
const example = 'MANIFEST = {"pattern": "*.csv", "topic": "output"}';

/**
 * Reads a plugin by parsing it, never by running it.
 * Throws TerminalFailure PLUGIN_SYNTAX, PLUGIN_NO_HANDLER, PLUGIN_HANDLER_NOT_A_CLASS, PLUGIN_MANIFEST, PLUGIN_DEPENDENCIES.
 */
export async function readPlugin(request: {
  readonly python: string;
  readonly source: string;
  /** For messages; its stem is the topic of a plugin that names none, unless `defaultTopic` is. */
  readonly fileName: string;
  readonly defaultTopic?: string | undefined;
}): Promise<ParsedPlugin> {
  const told = await parseSource(request.python, request.source, request.fileName);
  refuseSyntax(told, request.fileName);
  refuseHandler(told.handler, request.fileName);
  const block = readScriptBlock(request.source);
  const fields = readFields(told.manifest, request.fileName);
  const stem = request.defaultTopic ?? parse(request.fileName).name;
  const topic = textField(fields, "topic", request.fileName) ?? (isOutputName(stem) ? stem : "output");
  if (!isOutputName(topic)) throw wrongManifest(request.fileName, `${JSON.stringify(topic)} can't be the name of an output`);
  return {
    manifest: {
      patterns: readPatterns(fields, request.fileName),
      topic,
      description: textField(fields, "description", request.fileName),
      process: readProcess(fields, request.fileName),
    },
    imports: told.imports,
    publishes: told.publishes.filter((output) => output !== topic),
    hasDependencies: (block?.dependencies.length ?? 0) > 0,
    name: textField(fields, "name", request.fileName),
    version: textField(fields, "version", request.fileName),
    notices: Object.keys(fields)
      .filter((key) => !knownKeys.includes(key))
      .map((key) => `MANIFEST has a key "${key}", which is not used; known are ${knownKeys.join(", ")}`),
  };
}

/** What a module beside the one with the Handler imports and publishes. Throws TerminalFailure PLUGIN_SYNTAX. */
export async function readModule(request: {
  readonly python: string;
  readonly source: string;
  readonly fileName: string;
}): Promise<Pick<ParsedPlugin, "imports" | "publishes">> {
  const told = await parseSource(request.python, request.source, request.fileName);
  refuseSyntax(told, request.fileName);
  return { imports: told.imports, publishes: told.publishes };
}

async function parseSource(python: string, source: string, fileName: string): Promise<Told> {
  try {
    return await parsePython<Told>(python, script, source);
  } catch (error) {
    throw error instanceof ParserGaveUp ? syntaxFailure(fileName, error.message) : error;
  }
}

function refuseSyntax({ syntax }: Told, fileName: string): void {
  if (syntax === undefined) return;
  const place = syntax.line === null ? "" : ` (line ${syntax.line}${syntax.text === "" ? "" : `: ${syntax.text}`})`;
  throw syntaxFailure(fileName, `it is not valid Python: ${syntax.message}${place}`);
}

function syntaxFailure(fileName: string, what: string): TerminalFailure {
  return new TerminalFailure({
    code: "PLUGIN_SYNTAX",
    message: `${fileName}: ${what}`,
    hint: "Correct the line and publish the plugin again.",
  });
}

function refuseHandler(handler: string, fileName: string): void {
  if (handler === "class" || handler === "unknown") return;
  const hint = "Define `class Handler:` with `def execute(self, file_path: str):` at the top level of the file.";
  if (handler === "absent")
    throw new TerminalFailure({ code: "PLUGIN_NO_HANDLER", message: `${fileName} has no class named Handler`, hint });
  if (handler === "no execute") {
    throw new TerminalFailure({
      code: "PLUGIN_NO_HANDLER",
      message: `${fileName}: the class Handler has no method execute(self, file_path)`,
      hint,
    });
  }
  throw new TerminalFailure({ code: "PLUGIN_HANDLER_NOT_A_CLASS", message: `${fileName}: Handler is not a class but ${handler}`, hint });
}

function readFields(manifest: Told["manifest"], fileName: string): Readonly<Record<string, unknown>> {
  if (manifest.wrong !== undefined) throw wrongManifest(fileName, `${manifest.wrong} (line ${manifest.line})`);
  const { value } = manifest;
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrongManifest(fileName, "it is not a dict");
  return value as Record<string, unknown>;
}

function readPatterns(fields: Readonly<Record<string, unknown>>, fileName: string): readonly string[] {
  const given = fields["pattern"] ?? fields["patterns"] ?? [];
  const patterns: readonly unknown[] = Array.isArray(given) ? given : [given];
  const texts = patterns.filter((pattern) => typeof pattern === "string" && pattern !== "") as readonly string[];
  if (texts.length < patterns.length) throw wrongManifest(fileName, '"pattern" is neither a string nor a list of strings');
  return [...new Set(texts)];
}

function readProcess(fields: Readonly<Record<string, unknown>>, fileName: string): PluginProcess | undefined {
  const value = textField(fields, "process", fileName);
  if (value === undefined || value === "fork" || value === "fresh") return value;
  throw wrongManifest(fileName, `"process" is ${JSON.stringify(value)}, and can be "fork" or "fresh"`);
}

function textField(fields: Readonly<Record<string, unknown>>, key: string, fileName: string): string | undefined {
  const value = fields[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value !== "") return value;
  // A version is often written as a number.
  if (key === "version" && typeof value === "number") return String(value);
  throw wrongManifest(fileName, `"${key}" is not a string`);
}

function wrongManifest(fileName: string, what: string): TerminalFailure {
  const hint = `Write it with plain values, like this: ${example}`;
  return new TerminalFailure({ code: "PLUGIN_MANIFEST", message: `${fileName}: MANIFEST can't be used: ${what}`, hint });
}
