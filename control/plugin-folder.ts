import { existsSync, type Dirent } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parse, type TomlTable } from "smol-toml";
import type { Project } from "../bridge/lock-project.ts";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { compileGlob } from "../domain/glob.ts";
import type { PluginFolder } from "../domain/plugin.ts";
import { readSource } from "./plugin-source.ts";

/** What is read of a plugin's folder. */
export interface FolderSource {
  /** Of the file with its Handler. */
  readonly source: string;
  readonly folder: PluginFolder;
  readonly project: Project;
  /** What pyproject.toml says. */
  readonly version: string | undefined;
}

const filesMax = 1_000;
const bytesMax = 8 * 1024 * 1024;
const example =
  '[tool.casparian]\nplugin = "trades.plugin"    # the module with class Handler\ndata = ["trades/*.csv"]      # files beside the code';
/** What tools leave, and what only its author runs. */
const leftOut = new Set(["__pycache__", "node_modules", "build", "dist", "venv", "tests", "test"]);

/**
 * Reads a plugin that is a folder with a pyproject.toml: all of its Python files, and of others those that `[tool.casparian] data` names. Throws WrongUse.
 */
export async function readPluginFolder(path: string): Promise<FolderSource> {
  const file = join(path, "pyproject.toml");
  if (!existsSync(file))
    throw new WrongUse(`${path} is a folder without a pyproject.toml`, "Give the plugin's Python file, or a folder with a pyproject.toml");
  const toml = parseProject(await readSource(file), file);
  const settings = tableOf(tableOf(toml, "tool"), "casparian");
  refuseUnknown(settings, file);
  const data = textsOf(settings, "data", file).map((pattern) => compileGlob(pattern));
  const paths = await pathsOf(path, (name) => name.endsWith(".py") || data.some((matches) => matches(name)));
  const texts = new Map<string, string>();
  for (const name of paths) texts.set(name, await readSource(join(path, name)));
  refuseLarge(texts, path);
  const entry = entryOf(texts, settings["plugin"], path);
  const files = Object.fromEntries([...texts].filter(([name]) => name !== entry));
  return { source: texts.get(entry)!, folder: { entry, files }, ...(await projectOf(toml, path, file)) };
}

async function projectOf(toml: TomlTable, path: string, file: string): Promise<Pick<FolderSource, "project" | "version">> {
  const project = tableOf(toml, "project");
  const { name, version, "requires-python": requiresPython } = project;
  if (typeof name !== "string")
    throw new WrongUse(`${file} has no [project] name`, `Write one:\n\n[project]\nname = "${basename(path)}"\nversion = "1"\n`);
  const uvLock = existsSync(join(path, "uv.lock")) ? await readFile(join(path, "uv.lock"), "utf8") : null;
  return {
    project: {
      toml,
      name,
      dependencies: textsOf(project, "dependencies", file),
      requiresPython: typeof requiresPython === "string" ? requiresPython : undefined,
      uvLock,
    },
    version: typeof version === "string" ? version : undefined,
  };
}

function parseProject(text: string, file: string): TomlTable {
  try {
    return parse(text);
  } catch (error) {
    throw new WrongUse(`${file} is not TOML: ${messageOf(error).split("\n")[0]}`);
  }
}

function tableOf(table: TomlTable, key: string): TomlTable {
  const inner = table[key];
  return typeof inner === "object" && Object.getPrototypeOf(inner) === Object.getPrototypeOf(table) ? (inner as TomlTable) : {};
}

function textsOf(table: TomlTable, key: string, file: string): readonly string[] {
  const value = table[key] ?? [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new WrongUse(`${file}: ${key} is not a list of texts`);
}

function refuseUnknown(settings: TomlTable, file: string): void {
  const unknown = Object.keys(settings).find((key) => key !== "plugin" && key !== "data");
  if (unknown !== undefined)
    throw new WrongUse(`${file}: unknown key tool.casparian.${unknown}`, `Known are plugin and data:\n\n${example}\n`);
}

/** Relative, in order. Links are refused, because what they lead to may change, and may be anything. */
async function pathsOf(root: string, wanted: (path: string) => boolean, below = ""): Promise<readonly string[]> {
  const found: string[] = [];
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!isLeftOut(entry)) found.push(...(await pathsOf(root, wanted, path)));
    } else if (wanted(path) && !entry.name.startsWith(".")) {
      if (!entry.isFile())
        throw new WrongUse(`${join(root, path)} is a link or no file, and a plugin's folder holds files only`, "Put the file itself there");
      found.push(path);
    }
    if (found.length > filesMax)
      throw new WrongUse(`${root} has more than ${filesMax} files of Python and data`, "Is it the plugin's own folder?");
  }
  return found;
}

function isLeftOut({ name }: Dirent): boolean {
  return name.startsWith(".") || name.endsWith(".egg-info") || leftOut.has(name);
}

function refuseLarge(texts: ReadonlyMap<string, string>, path: string): void {
  const bytes = [...texts.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > bytesMax)
    throw new WrongUse(
      `the files of ${path} have ${bytes} bytes, and a plugin has ${bytesMax} at most`,
      "Keep data that is large elsewhere",
    );
}

/** The file of the module that is named, or the only one with a class Handler. */
function entryOf(texts: ReadonlyMap<string, string>, named: unknown, path: string): string {
  if (named !== undefined) {
    const module = typeof named === "string" && /^[A-Za-z_][\w.]*$/.test(named) ? named : "";
    const stem = module.replaceAll(".", "/");
    const found = [`src/${stem}.py`, `src/${stem}/__init__.py`, `${stem}.py`, `${stem}/__init__.py`].find((file) => texts.has(file));
    if (module !== "" && found !== undefined) return found;
    throw new WrongUse(
      `pyproject.toml names the plugin ${JSON.stringify(named)}, and ${path} has no such module`,
      `Name it as Python imports it:\n\n${example}\n`,
    );
  }
  const found = [...texts].filter(([file, text]) => file.endsWith(".py") && /^class\s+Handler\b/m.test(text)).map(([file]) => file);
  if (found.length === 1) return found[0]!;
  const what = found.length === 0 ? "no module has" : `several modules have (${found.join(", ")})`;
  throw new WrongUse(`${path}: ${what} a class Handler`, `Say in pyproject.toml which one is the plugin:\n\n${example}\n`);
}
