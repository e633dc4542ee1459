import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { messageOf, TerminalFailure } from "../domain/failure.ts";
import { fitsVersion, pythonVersion } from "./python-version.ts";

const run = promisify(execFile);

/** Where another Python is looked for when the usual one does not fit: uv knows the PATH and those that it has installed itself. */
export interface PythonSearch {
  readonly uv: string;
  /** Whether uv may fetch one that this machine lacks. */
  readonly mayDownload: boolean;
}

/** A Python of this machine. */
export interface FoundPython {
  /** Such as `3.12.1`. */
  readonly version: string;
  readonly path: string;
}

const oldest = "3.10";
const findMsMax = 60_000;
const downloadMsMax = 15 * 60_000;
/** What was not there may have been installed since. Milliseconds. */
const missedMs = 60_000;
const found = new Map<string, { readonly path: Promise<string | null>; readonly at: number }>();

/**
 * The interpreter for a plugin that needs Python `specifier`, such as `>=3.12,<3.14`: the usual one where it fits, else another one of this
 * machine; null where there is none. Nothing is fetched.
 */
export async function findPythonFor(usual: string, specifier: string, search?: PythonSearch): Promise<string | null> {
  const version = await pythonVersion(usual).catch(() => null);
  if (version !== null && existsSync(usual) && fitsVersion(version, specifier)) return usual;
  return search === undefined ? null : remembered(search.uv, specifier);
}

/**
 * The same, and fetched by uv where that is allowed. Throws TerminalFailure PYTHON_UNFIT that says what there is and what to do.
 */
export async function requirePythonFor(
  usual: string,
  specifier: string,
  { search, signal }: { readonly search?: PythonSearch | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const present = await findPythonFor(usual, specifier, search);
  if (present !== null) return present;
  const there = search === undefined ? [] : await listPythons(search.uv);
  const names = there.length === 0 ? `${usual} is Python ${await pythonVersion(usual)}` : `here are ${describePythons(there)}`;
  const message = `the plugin needs Python ${specifier}, and ${names}`;
  const steps = `Install one that fits and put it on the PATH (or name it with CASPARIAN_PYTHON), or change requires-python in the plugin`;
  if (search?.mayDownload !== true)
    throw new TerminalFailure({ code: "PYTHON_UNFIT", message, hint: `${steps}; uv fetches none here ([python] allow_downloads)` });
  try {
    await run(search.uv, ["python", "install", "--no-bin", specifier], { timeout: downloadMsMax, signal, env: searchEnv(), cwd: tmpdir() });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new TerminalFailure({ code: "PYTHON_UNFIT", message: `${message}; uv can't fetch one: ${wordsOf(cause)}`, hint: steps, cause });
  }
  found.delete(keyOf(search.uv, specifier));
  const fetched = await remembered(search.uv, specifier);
  if (fetched !== null) return fetched;
  throw new TerminalFailure({ code: "PYTHON_UNFIT", message: `${message}; what uv has fetched does not fit either`, hint: steps });
}

/** The Pythons of this machine that plugins can have, the newest first, each version once. */
export async function listPythons(uv: string): Promise<readonly FoundPython[]> {
  const flags = ["--only-installed", "--no-python-downloads", "--output-format", "json"];
  const { stdout } = await run(uv, ["python", "list", ...flags], { timeout: findMsMax, env: searchEnv(), cwd: tmpdir() });
  const told = JSON.parse(stdout) as readonly { readonly version: string; readonly path: string | null; readonly implementation: string }[];
  const usable = told.filter(({ version, path, implementation }) => path !== null && implementation === "cpython" && isRelease(version));
  const byVersion = new Map<string, FoundPython>();
  for (const { version, path } of usable) if (!byVersion.has(version)) byVersion.set(version, { version, path: path! });
  return [...byVersion.values()];
}

/** `3.12.1 (/usr/bin/python3.12), 3.11.7 (…)`. */
export function describePythons(pythons: readonly FoundPython[]): string {
  return pythons.map(({ version, path }) => `${version} (${path})`).join(", ");
}

function isRelease(version: string): boolean {
  return /^\d+\.\d+\.\d+$/.test(version) && fitsVersion(version, `>=${oldest}`);
}

/** Asked once in a process, but for one that has gone since, and one that was not there. */
async function remembered(uv: string, specifier: string): Promise<string | null> {
  const key = keyOf(uv, specifier);
  const known = found.get(key);
  if (known !== undefined) {
    const path = await known.path;
    if (path === null ? Date.now() - known.at < missedMs : existsSync(path)) return path;
  }
  const path = ask(uv, specifier);
  found.set(key, { path, at: Date.now() });
  return path;
}

function keyOf(uv: string, specifier: string): string {
  return `${uv}\n${specifier}`;
}

async function ask(uv: string, specifier: string): Promise<string | null> {
  try {
    const flags = ["--no-project", "--system", "--no-python-downloads"];
    // In a folder without a .python-version file.
    const { stdout } = await run(uv, ["python", "find", ...flags, specifier], { timeout: findMsMax, env: searchEnv(), cwd: tmpdir() });
    const path = await interpreterItself(stdout.trim());
    return fitsVersion(await pythonVersion(path), `${specifier},>=${oldest}`) ? path : null;
  } catch {
    return null;
  }
}

/** Behind wrappers such as pyenv's, which need an environment that plugins don't have. */
async function interpreterItself(candidate: string): Promise<string> {
  const script = "import sys; print(getattr(sys, '_base_executable', '') or sys.executable)";
  const { stdout } = await run(candidate, ["-I", "-S", "-c", script], { timeout: findMsMax });
  return realpath(stdout.trim());
}

/** pyenv's own programs on the PATH answer slowly, and for one version only, so its folders are looked into instead. */
function searchEnv(): NodeJS.ProcessEnv {
  const root = process.env["PYENV_ROOT"] || join(homedir(), ".pyenv");
  const versions = join(root, "versions");
  const folders = existsSync(versions) ? readdirSync(versions).map((name) => join(versions, name, "bin")) : [];
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== join(root, "shims"));
  const env = { ...process.env, PATH: [...path, ...folders].join(delimiter), UV_NO_PROGRESS: "1", NO_COLOR: "1" };
  for (const name of ["VIRTUAL_ENV", "UV_PYTHON"]) Reflect.deleteProperty(env, name);
  return env;
}

/** uv's warnings come before its error. */
function wordsOf(error: unknown): string {
  const stderr = (error as { readonly stderr?: unknown }).stderr;
  const lines = (typeof stderr === "string" && stderr.trim() !== "" ? stderr : messageOf(error)).trim().split("\n");
  const first = lines.findIndex((line) => /^\s*error/i.test(line));
  return lines
    .slice(Math.max(0, first), Math.max(0, first) + 8)
    .map((line) => line.trim().replace(/^error: /, ""))
    .join(" ");
}
