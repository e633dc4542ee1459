import { statSync } from "node:fs";
import { basename, parse } from "node:path";
import { lockPlugin, type PluginLock } from "../bridge/environments.ts";
import { lockProject, type Project } from "../bridge/lock-project.ts";
import { readModule, readPlugin, type ParsedPlugin } from "../bridge/manifest.ts";
import { folderImport } from "../bridge/plugin-folder.ts";
import { requirePythonFor } from "../bridge/pythons.ts";
import { readScriptBlock } from "../bridge/script-block.ts";
import type { PluginFolder } from "../domain/plugin.ts";
import { readPluginFolder } from "./plugin-folder.ts";
import { readSource } from "./plugin-source.ts";
import type { PluginTools } from "./plugin-tools.ts";

/** A plugin as it lies on disk: a file, or a folder with a pyproject.toml. */
export interface PluginCode {
  /** Of the file, or of the one with its Handler. */
  readonly source: string;
  /** Null for a single file. */
  readonly folder: PluginFolder | null;
  /** For messages. */
  readonly fileName: string;
  /** What it is called where nothing else says so. */
  readonly defaultName: string;
  readonly defaultVersion: string | undefined;
  /** Null for a single file, whose script block says what it needs. */
  readonly project: Project | null;
}

/** Throws WrongUse for what can't be a plugin. */
export async function readCode(path: string): Promise<PluginCode> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const source = await readSource(path);
    return { source, folder: null, fileName: basename(path), defaultName: parse(path).name, defaultVersion: undefined, project: null };
  }
  const { source, folder, project, version } = await readPluginFolder(path);
  return { source, folder, fileName: folder.entry, defaultName: project.name, defaultVersion: version, project };
}

/** The tools, with the interpreter that the plugin's `requires-python` asks for, whose parser knows its syntax. Throws TerminalFailure PYTHON_UNFIT. */
export async function toolsFor(tools: PluginTools, { source, project }: PluginCode): Promise<PluginTools> {
  const asked = project === null ? readScriptBlock(source)?.requiresPython : project.requiresPython;
  return asked === undefined ? tools : { ...tools, python: await requirePythonFor(tools.python, asked, { search: tools.pythons }) };
}

/** Throws as `lockPlugin` and `lockProject` do. */
export async function lockCode(tools: PluginTools, { source, project }: PluginCode): Promise<PluginLock> {
  const request = { ...tools, interpreter: tools.python };
  return project === null ? lockPlugin({ ...request, source }) : lockProject(project, request);
}

/**
 * What a plugin says of itself, and what all of its files import and publish, but for each other. Nothing is run. Throws TerminalFailure of `readPlugin`, also for a
 * file of a folder that is not valid Python.
 */
export async function parseCode(
  python: string,
  code: Pick<PluginCode, "source" | "folder" | "fileName"> & Partial<Pick<PluginCode, "project" | "defaultName">>,
): Promise<ParsedPlugin> {
  const { source, folder, fileName, project } = code;
  const parsed = await readPlugin({ python, source, fileName, defaultTopic: code.defaultName });
  if (folder === null) return parsed;
  const others: Pick<ParsedPlugin, "imports" | "publishes">[] = [];
  for (const [path, text] of Object.entries(folder.files)) {
    if (path.endsWith(".py")) others.push(await readModule({ python, source: text, fileName: path }));
  }
  const own = new Set(folderImport(folder).ownNames);
  const imports = [parsed, ...others].flatMap((each) => each.imports).filter((module) => !own.has(module));
  const publishes = [parsed, ...others].flatMap((each) => each.publishes).filter((output) => output !== parsed.manifest.topic);
  return {
    ...parsed,
    imports: [...new Set(imports)].toSorted(),
    publishes: [...new Set(publishes)],
    hasDependencies: project === undefined || (project?.dependencies.length ?? 0) > 0,
  };
}
