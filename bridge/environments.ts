import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Log } from "../domain/log.ts";
import type { PluginEnvironment } from "../domain/plugin.ts";
import { takeBuildLock } from "./build-lock.ts";
import { pruneLocked, sizeOf } from "./environment-store.ts";
import { marker } from "./environment-use.ts";
import { readRequirements, readUvLock, readYanked, type LockedPackage, type YankedPackage } from "./locked-packages.ts";
import { minorVersion, requireFit } from "./python-version.ts";
import { readScriptBlock, type ScriptBlock, writeScriptBlock } from "./script-block.ts";
import { askUv, runUv } from "./uv.ts";

/**
 * Python environments by content: one folder for each lock, Python and platform, built once a host, never changed afterwards.
 *
 * Invariant: a folder with its marker is whole. The marker is written last, so what a crash leaves is built anew.
 */

export interface EnvironmentPlace {
  readonly environment: PluginEnvironment;
  /** The folder that holds the environments of this host. */
  readonly root: string;
  /** The Python that environments are made from. */
  readonly interpreter: string;
}

export interface EnvironmentBuild extends EnvironmentPlace {
  readonly uv: string;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly onProgress: (step: string) => void;
  /** Beyond which the least recently used ones that nobody uses are removed after a build; undefined keeps them all. */
  readonly bytesMax?: number | undefined;
}

/** What locking a plugin gives: its environment, and what is told of the packages beside. */
export interface PluginLock {
  readonly environment: PluginEnvironment;
  readonly packages: readonly LockedPackage[];
  /** Null where no registry was asked: the standard environment's lock comes along. */
  readonly yanked: readonly YankedPackage[] | null;
}

/** Of a plugin that declares none; the newest pandas that each Python has. */
const standardPython = ">=3.10";

/** What a plugin gets that declares nothing: pandas and pyarrow. */
export function standardEnvironment(): PluginEnvironment {
  return environmentOf(readFileSync(new URL("python/standard.txt", import.meta.url), "utf8"), standardPython);
}

/** The interpreter of an environment that is built, or null. Throws TerminalFailure PYTHON_UNFIT. */
export async function hasEnvironment(place: EnvironmentPlace): Promise<string | null> {
  const folder = await folderOf(place);
  const python = join(folder, "bin", "python");
  // The interpreter that it was made from may have been removed since: existsSync follows the link.
  return existsSync(join(folder, marker)) && existsSync(python) ? python : null;
}

/**
 * Returns the interpreter of the environment, having built it if need be. One build at a time on a host; others wait.
 * Throws TerminalFailure PLUGIN_ENVIRONMENT with uv's words, PYTHON_UNFIT; TransientFailure PLUGIN_ENVIRONMENT_UNREACHABLE.
 */
export async function ensureEnvironment(build: EnvironmentBuild): Promise<{ readonly python: string }> {
  const present = await hasEnvironment(build);
  if (present !== null) return { python: present };
  const lock = await takeBuildLock(join(build.root, "build.lock"), build.signal);
  try {
    const built = await hasEnvironment(build);
    if (built !== null) return { python: built };
    const python = await buildEnvironment(build, await folderOf(build));
    await makeRoom(build);
    return { python };
  } finally {
    lock.release();
  }
}

/**
 * Locks what a plugin declares in its script block (PEP 723), with the hash of every file, for every platform. pyarrow is added, which
 * carries the rows. A plugin without dependencies gets the standard environment.
 * Throws TerminalFailure PLUGIN_DEPENDENCIES with uv's words, PYTHON_UNFIT; TransientFailure PLUGIN_DEPENDENCIES_UNREACHABLE.
 */
export async function lockPlugin(request: {
  readonly uv: string;
  readonly interpreter: string;
  readonly source: string;
}): Promise<PluginLock> {
  const block = readScriptBlock(request.source);
  if (block === undefined || (block.dependencies.length === 0 && block.requiresPython === undefined)) return standardLock();
  const python = block.requiresPython ?? `>=${await minorVersion(request.interpreter)}`;
  await requireFit(request.interpreter, python);
  if (block.dependencies.length === 0) return standardLock(python);
  const folder = await mkdtemp(join(tmpdir(), "casparian-lock-"));
  try {
    return await lockBlock(request, block, python, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function lockBlock(
  { uv, interpreter }: { readonly uv: string; readonly interpreter: string },
  block: ScriptBlock,
  python: string,
  folder: string,
): Promise<PluginLock> {
  const hasArrow = block.dependencies.some((dependency) => /^pyarrow(?![A-Za-z0-9._-])/i.test(dependency.trim()));
  const dependencies = hasArrow ? block.dependencies : [...block.dependencies, "pyarrow"];
  await writeFile(
    join(folder, "plugin.py"),
    writeScriptBlock({ ...block.toml, dependencies: [...dependencies], "requires-python": python }),
  );
  const call = {
    uv,
    cwd: folder,
    failed: "the plugin's dependencies can't be locked",
    code: "PLUGIN_DEPENDENCIES",
    hint: "Correct the dependencies in the plugin's script block. Only packages with a wheel can be used.",
  };
  const { stderr } = await askUv({
    ...call,
    args: ["lock", "--script", "plugin.py", "--python", interpreter, "--no-build", "--no-python-downloads"],
  });
  const flags = ["--frozen", "--no-header", "--no-annotate", "--format", "requirements-txt"];
  const lockfile = await runUv({ ...call, args: ["export", "--script", "plugin.py", "--python", interpreter, ...flags] });
  const packages = readUvLock(await readFile(join(folder, "plugin.py.lock"), "utf8"));
  return { environment: environmentOf(lockfile, python), packages, yanked: readYanked(stderr) };
}

function standardLock(python = standardPython): PluginLock {
  const { lockfile } = standardEnvironment();
  return { environment: environmentOf(lockfile, python), packages: readRequirements(lockfile), yanked: null };
}

export function environmentOf(lockfile: string, python: string): PluginEnvironment {
  return { hash: createHash("sha256").update(`${lockfile}\n${python}`).digest("hex"), lockfile, python };
}

/** How many packages are locked. */
export function countPackages({ lockfile }: PluginEnvironment): number {
  return lockfile.match(/^[A-Za-z0-9]/gm)?.length ?? 0;
}

/** The new one was made just now, so it stays. */
async function makeRoom({ root, bytesMax, signal, log }: EnvironmentBuild): Promise<void> {
  if (bytesMax === undefined) return;
  for (const { hash, folder, bytes } of await pruneLocked({ root, may: () => true, bytesMax, signal }))
    log.info("removed the least recently used Python environment", { hash, path: folder, bytes });
}

/** The base interpreter is part of it: an environment links to it, and its packages are those for its version. */
async function folderOf({ environment, root, interpreter }: EnvironmentPlace): Promise<string> {
  await requireFit(interpreter, environment.python);
  const base = createHash("sha256")
    .update(await realpath(interpreter))
    .digest("hex");
  return join(
    root,
    `${environment.hash.slice(0, 24)}-py${await minorVersion(interpreter)}-${process.platform}-${process.arch}-${base.slice(0, 8)}`,
  );
}

/** Built in its final folder, because an environment's scripts and links hold its path. */
async function buildEnvironment(build: EnvironmentBuild, folder: string): Promise<string> {
  const { environment, uv, interpreter, signal, log, onProgress } = build;
  log.info("building a Python environment", { hash: environment.hash, path: folder });
  onProgress(`Building a Python environment (${countPackages(environment)} locked packages) …`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const call = {
    uv,
    cwd: folder,
    signal,
    failed: "the plugin's environment can't be built",
    code: "PLUGIN_ENVIRONMENT",
    hint: "Publish the plugin again to lock its dependencies anew, on a machine of the same kind.",
  };
  const python = join(folder, "bin", "python");
  try {
    await runUv({
      ...call,
      args: ["venv", "--quiet", "--no-project", "--no-python-downloads", "--allow-existing", "--python", interpreter, folder],
    });
    await writeFile(join(folder, "requirements.txt"), environment.lockfile);
    const flags = ["--require-hashes", "--only-binary", ":all:"];
    await runUv({ ...call, args: ["pip", "sync", "--quiet", "--python", python, ...flags, "requirements.txt"] });
    await compile(python, folder, signal);
    const told = { hash: environment.hash, python: environment.python, builtAt: new Date(), bytes: await sizeOf(folder) };
    await writeFile(join(folder, marker), JSON.stringify(told));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return python;
}

/** Now, because later nobody may write here. `-S`: no code of the packages is run. */
async function compile(python: string, folder: string, signal: AbortSignal): Promise<void> {
  const program = fileURLToPath(new URL("python/compile_packages.py", import.meta.url));
  // A group of its own, which ends with its standard input, and so with us.
  const child = spawn(python, ["-I", "-S", program, join(folder, "lib")], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  const stop = (): void => void child.stdin.destroy();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  await new Promise((resolve) => child.once("exit", resolve).once("error", resolve));
  signal.removeEventListener("abort", stop);
  stop();
  signal.throwIfAborted();
}
