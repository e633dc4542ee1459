import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Log } from "../domain/log.ts";
import type { PluginEnvironment } from "../domain/plugin.ts";
import { takeBuildLock } from "./build-lock.ts";
import { findAlteredContent, listFiles } from "./environment-files.ts";
import { findDamageNow, findDamageSometimes, setAside } from "./environment-health.ts";
import { pruneLocked } from "./environment-store.ts";
import { marker, removeEnvironment } from "./environment-use.ts";
import { readRequirements, readUvLock, readYanked, type LockedPackage, type YankedPackage } from "./locked-packages.ts";
import { minorVersion } from "./python-version.ts";
import { findPythonFor, requirePythonFor, type PythonSearch } from "./pythons.ts";
import { readScriptBlock, type ScriptBlock, writeScriptBlock } from "./script-block.ts";
import { askUv, runUv } from "./uv.ts";

/**
 * Python environments by content: one folder for each lock, Python and platform, built once a host, never changed afterwards.
 *
 * Invariant: a folder gets its marker when it is whole. The marker is written last, so what a crash leaves is built anew, and it is taken away
 * from one that is found damaged.
 */

export interface EnvironmentPlace {
  readonly environment: PluginEnvironment;
  /** The folder that holds the environments of this host. */
  readonly root: string;
  /** The Python that environments are made from. */
  readonly interpreter: string;
  /** Where to look for another one for a lock that this one does not fit; nowhere unless given. */
  readonly pythons?: PythonSearch | undefined;
}

export interface EnvironmentBuild extends EnvironmentPlace {
  readonly uv: string;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly onProgress: (step: string) => void;
  /** Beyond which the least recently used ones that nobody uses are removed after a build; undefined keeps them all. */
  readonly bytesMax?: number | undefined;
  /** Whether packages without a wheel may be built: that runs code of theirs, outside of the sandbox. */
  readonly allowBuilds?: boolean | undefined;
  /** Because there was a damaged one: then uv's cache is not trusted either, because files of environments may be links to it. */
  readonly anew?: boolean | undefined;
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

/**
 * The interpreter of an environment that is built and whole, as far as sizes and times of its files tell, which is looked up once a minute;
 * null where there is none, or no Python that fits it.
 */
export async function hasEnvironment(place: EnvironmentPlace): Promise<string | null> {
  const interpreter = await findPythonFor(place.interpreter, place.environment.python, place.pythons);
  if (interpreter === null) return null;
  const folder = await builtFolder(place.root, await nameOf(place.environment, interpreter));
  return folder === null || (await findDamageSometimes(folder)) !== null ? null : pythonIn(folder);
}

/**
 * Returns the interpreter of the environment, having built it if need be: it is missing, or damaged. A damaged one that somebody uses stays, and the new one
 * gets a place beside it. One build at a time on a host; others wait.
 * Throws TerminalFailure PLUGIN_ENVIRONMENT with uv's words, PYTHON_UNFIT; TransientFailure PLUGIN_ENVIRONMENT_UNREACHABLE.
 */
export async function ensureEnvironment(build: EnvironmentBuild): Promise<{ readonly python: string }> {
  const present = await hasEnvironment(build);
  if (present !== null) return { python: present };
  const { root, environment, signal, log } = build;
  const interpreter = await requirePythonFor(build.interpreter, environment.python, { search: build.pythons, signal });
  const name = await nameOf(environment, interpreter);
  const lock = await takeBuildLock(join(root, "build.lock"), signal);
  try {
    const found = await builtFolder(root, name);
    const damage = found === null ? null : await findDamageNow(found);
    if (found !== null && damage === null) return { python: pythonIn(found) };
    if (found !== null) {
      log.warn("a Python environment is damaged and is built again", { path: found, damage });
      await setAside(found);
    }
    const folder = await freeFolder(root, name);
    await buildEnvironment({ ...build, interpreter, folder, anew: build.anew === true || found !== null });
    await makeRoom(build);
    return { python: pythonIn(folder) };
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
  readonly pythons?: PythonSearch | undefined;
  /** As for a build. */
  readonly allowBuilds?: boolean | undefined;
  readonly source: string;
}): Promise<PluginLock> {
  const block = readScriptBlock(request.source);
  if (block === undefined || (block.dependencies.length === 0 && block.requiresPython === undefined)) return standardLock();
  const python = block.requiresPython ?? `>=${await minorVersion(request.interpreter)}`;
  const interpreter = await requirePythonFor(request.interpreter, python, { search: request.pythons });
  if (block.dependencies.length === 0) return standardLock(python);
  const folder = await mkdtemp(join(tmpdir(), "casparian-lock-"));
  try {
    return await lockBlock({ ...request, interpreter }, block, python, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function lockBlock(
  { uv, interpreter, allowBuilds }: { readonly uv: string; readonly interpreter: string; readonly allowBuilds?: boolean | undefined },
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
    hint: `Correct the dependencies in the plugin's script block.${allowBuilds === true ? "" : " Only packages with a wheel can be used ([python] allow_builds)."}`,
  };
  const { stderr } = await askUv({
    ...call,
    args: [
      "lock",
      "--script",
      "plugin.py",
      "--python",
      interpreter,
      ...(allowBuilds === true ? [] : ["--no-build"]),
      "--no-python-downloads",
    ],
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
async function nameOf(environment: PluginEnvironment, interpreter: string): Promise<string> {
  const base = createHash("sha256")
    .update(await realpath(interpreter))
    .digest("hex");
  return `${environment.hash.slice(0, 24)}-py${await minorVersion(interpreter)}-${process.platform}-${process.arch}-${base.slice(0, 8)}`;
}

function pythonIn(folder: string): string {
  return join(folder, "bin", "python");
}

/** Its usual folder, or one beside that was built while the usual one was damaged and in use. */
async function builtFolder(root: string, name: string): Promise<string | null> {
  if (existsSync(join(root, name, marker))) return join(root, name);
  const names = await readdir(root).catch(() => []);
  const beside = names.find((other) => other.startsWith(`${name}-`) && existsSync(join(root, other, marker)));
  return beside === undefined ? null : join(root, beside);
}

/** For a build, under the build lock: the first of its folders that nobody uses. */
async function freeFolder(root: string, name: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const folder = join(root, number === 1 ? name : `${name}-${number}`);
    if (!existsSync(folder) || (await removeEnvironment(folder))) return folder;
  }
}

interface FolderBuild extends EnvironmentBuild {
  readonly folder: string;
}

/** Built in its final folder, because an environment's scripts and links hold its path. */
async function buildEnvironment(build: FolderBuild): Promise<void> {
  const { environment, interpreter, folder, signal, log, onProgress } = build;
  log.info("building a Python environment", { hash: environment.hash, path: folder });
  onProgress(`Building a Python environment (${countPackages(environment)} locked packages) …`);
  await mkdir(folder, { recursive: true });
  try {
    await runUv({
      ...uvCall(build),
      args: ["venv", "--quiet", "--no-project", "--no-python-downloads", "--allow-existing", "--python", interpreter, folder],
    });
    await writeFile(join(folder, "requirements.txt"), environment.lockfile);
    await installPackages(build);
    await compile(pythonIn(folder), folder, signal);
    const files = await listFiles(folder);
    const told = { hash: environment.hash, python: environment.python, builtAt: new Date(), ...files };
    await writeFile(join(folder, marker), JSON.stringify(told));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function uvCall({ uv, folder, signal }: FolderBuild) {
  return {
    uv,
    cwd: folder,
    signal,
    failed: "the plugin's environment can't be built",
    code: "PLUGIN_ENVIRONMENT",
    hint: "Publish the plugin again to lock its dependencies anew, on a machine of the same kind. Packages without a wheel: [python] allow_builds.",
  };
}

/** From uv's cache alone where it has everything, so that no registry needs to answer; each file has the locked hash in any case. */
async function installPackages(build: FolderBuild): Promise<void> {
  const binaries = build.allowBuilds === true ? [] : ["--only-binary", ":all:"];
  const args = ["pip", "sync", "--quiet", "--python", pythonIn(build.folder), "--require-hashes", ...binaries, "requirements.txt"];
  const call = uvCall(build);
  try {
    await runUv({ ...call, args: [...args, "--offline"] });
  } catch {
    build.signal.throwIfAborted();
    await runUv({ ...call, args });
  }
  if (build.anew !== true || (await findAlteredContent(build.folder)) === null) return;
  await runUv({ ...call, args: [...args, "--reinstall", "--no-cache"] });
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
