import { requirePythonFor, type PythonSearch } from "../bridge/pythons.ts";
import { readScriptBlock } from "../bridge/script-block.ts";

/** What it takes to read a plugin, to lock it, and to build its environment. */
export interface PluginTools {
  readonly uv: string;
  /** The interpreter for plugins that ask for no other. */
  readonly python: string;
  /** Where others are looked for; nowhere unless given. */
  readonly pythons?: PythonSearch | undefined;
  /** Whether packages without a wheel may be built. */
  readonly allowBuilds?: boolean | undefined;
}

/** The interpreter that a plugin's `requires-python` asks for, whose parser knows its syntax. Throws TerminalFailure PYTHON_UNFIT. */
export async function pythonOf({ python, pythons: search }: PluginTools, source: string): Promise<string> {
  const asked = readScriptBlock(source)?.requiresPython;
  return asked === undefined ? python : requirePythonFor(python, asked, { search });
}
