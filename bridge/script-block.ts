import { parse, stringify, type TomlTable } from "smol-toml";
import { messageOf, TerminalFailure } from "../domain/failure.ts";

/** What a plugin declares in its inline metadata. */
export interface ScriptBlock {
  readonly dependencies: readonly string[];
  /** Such as `>=3.11`. */
  readonly requiresPython: string | undefined;
  /** The whole block, for uv. */
  readonly toml: TomlTable;
}

/**
 * Reads the `# /// script` block at any place of a Python file; undefined where there is none.
 * Throws TerminalFailure PLUGIN_DEPENDENCIES. Source: PEP 723, its reference implementation.
 */
export function readScriptBlock(source: string): ScriptBlock | undefined {
  const blocks = [
    ...source.replaceAll("\r\n", "\n").matchAll(/^# \/\/\/ (?<type>[a-zA-Z0-9-]+)$\s(?<content>(?:^#(?:| .*)$\s)+)^# \/\/\/$/gm),
  ]
    .filter((match) => match.groups?.["type"] === "script")
    .map((match) => match.groups?.["content"] ?? "");
  const [content, second] = blocks;
  if (content === undefined) return undefined;
  if (second !== undefined) throw wrong("there are two script blocks");
  const toml = parseToml(content);
  const dependencies = toml["dependencies"] ?? [];
  if (!isTexts(dependencies)) throw wrong("dependencies is not a list of strings");
  const requiresPython = toml["requires-python"];
  if (requiresPython !== undefined && typeof requiresPython !== "string") throw wrong("requires-python is not a string");
  return { dependencies, requiresPython, toml };
}

/** A Python file that holds nothing but the block. */
export function writeScriptBlock(toml: TomlTable): string {
  const lines = stringify(toml)
    .trimEnd()
    .split("\n")
    .map((line) => (line === "" ? "#" : `# ${line}`));
  return ["# /// script", ...lines, "# ///", ""].join("\n");
}

function parseToml(content: string): TomlTable {
  const lines = content.split("\n").map((line) => line.slice(line.startsWith("# ") ? 2 : 1));
  try {
    return parse(lines.join("\n"));
  } catch (error) {
    throw wrong(messageOf(error));
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function wrong(what: string): TerminalFailure {
  return new TerminalFailure({
    code: "PLUGIN_DEPENDENCIES",
    message: `the plugin's script block can't be read: ${what}`,
    hint: 'Write it like this:\n# /// script\n# dependencies = ["pandas", "pyarrow"]\n# ///',
  });
}
