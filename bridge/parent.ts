import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Log } from "../domain/log.ts";
import type { PluginFolder } from "../domain/plugin.ts";
import { noGrants, type PluginGrants } from "../domain/plugin-grant.ts";
import { type Ready, readControl } from "./control.ts";
import { parentLost, type ProcessEnd, sandboxIncomplete } from "./failure.ts";
import { folderImport, unpackFolder } from "./plugin-folder.ts";
import type { SandboxLack } from "./sandbox.ts";

export interface ParentOptions {
  readonly plugin: {
    readonly name: string;
    readonly sourceCode: string;
    readonly folder?: PluginFolder | null | undefined;
    readonly defaultOutput: string;
  };
  /** The interpreter of the built environment. */
  readonly python: string;
  /** The parent and its forks may read below these, beside libraries, and write below `scratchRoot`. */
  readonly inputRoots: readonly string[];
  readonly scratchRoot: string;
  /** What the imports may take, and each job beyond that. */
  readonly memoryBytes: number;
  /** What the plugin may reach beyond that; nothing unless given. */
  readonly grants?: PluginGrants | undefined;
  /** Whether nothing is to run where the kernel lacks a wall. */
  readonly requireSandbox?: boolean | undefined;
  /** A private folder for the socket. */
  readonly socketDir: string;
  /** Whether what the plugin imports is loaded before the first job. */
  readonly warm: boolean;
  readonly log: Log;
}

export interface JobRequest {
  readonly inputPath: string;
  /** That the plugin's own process may read as well. */
  readonly readFolders?: readonly string[];
  readonly scratch: string;
  readonly memoryBytes: number;
  readonly scratchBytes: number;
}

export interface ParentJob {
  /** With which the job's streams are led in at `socketPath`. */
  readonly token: string;
  /** Resolves when the plugin's process and all that it had started have ended; undefined if the parent was lost. */
  readonly end: Promise<ProcessEnd | undefined>;
  /** Ends the plugin's process; `end` resolves then. */
  kill(): void;
}

/** A running Python process that has loaded what the plugin imports. */
export interface Parent {
  readonly socketPath: string;
  /** What this machine's kernel lacks for the sandbox. */
  readonly lacks: readonly SandboxLack[];
  /** Why each job loads the plugin's imports by itself, where that was not asked for; a sentence. */
  readonly cold: string | undefined;
  /** Its own memory, without its forks': when it was ready, and after the latest job. */
  memory(): { readonly bytes: number; readonly bytesAtStart: number };
  /** Resolves when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** The last words of the process itself, for a failure's message. */
  readonly lastWords: () => string;
  start(request: JobRequest): ParentJob;
  /** Ends it and all that it has forked; resolves when they have ended. */
  close(): Promise<void>;
}

const script = join(import.meta.dirname, "python", "parent.py");
const readyMsMax = 60_000;
/** 128 and the number of SIGKILL. */
const killedStatus = 137;
const closeMsMax = 5_000;
const wordsMax = 4_096;

/**
 * Starts a parent and waits until it is ready. Where loading the imports ends it, hangs it, or leaves threads, which no fork survives, it is
 * started again without: then each job loads them in its own process, where what they do is the job's failure. A parent that somebody
 * else has killed while it loaded them gets a second chance. Throws TransientFailure PLUGIN_PARENT_LOST, TerminalFailure
 * SANDBOX_INCOMPLETE.
 */
export async function startParent(options: ParentOptions): Promise<Parent> {
  const { name } = options.plugin;
  let cold: string | undefined;
  if (options.warm) {
    let warm = await launch(options, { preload: true });
    if ("unready" in warm && warm.unready === "killed") warm = await launch(options, { preload: true });
    if (!("unready" in warm)) return warm;
    cold = coldWords(warm);
    options.log.warn(`plugin ${name}: ${cold}`);
  }
  const parent = await launch(options, { preload: false, cold });
  if (!("unready" in parent)) return parent;
  throw parentLost(name, `${options.python} could not start the bridge`);
}

/** Why a parent is of no use. */
type Unready = { readonly unready: "threads"; readonly statement: string } | { readonly unready: "ended" | "hung" | "killed" };

function coldWords(why: Unready): string {
  const so = "so they are loaded anew for each file";
  if (why.unready === "threads") return `${JSON.stringify(why.statement)} starts threads, which a fork does not take along, ${so}`;
  return why.unready === "hung" ? `its imports take longer than ${readyMsMax / 1000} s, ${so}` : `its imports end their process, ${so}`;
}

async function launch(
  options: ParentOptions,
  { preload, cold }: { readonly preload: boolean; readonly cold?: string | undefined },
): Promise<Parent | Unready> {
  const home = await mkdtemp(join(options.scratchRoot, ".parent-"));
  const folder = await layOut(options.plugin, join(home, "code")).catch(async (error: unknown) => {
    await rm(home, { recursive: true, force: true });
    throw error;
  });
  const socketPath = join(options.socketDir, `${randomBytes(6).toString("hex")}.sock`);
  const process = spawnPython(options.python, home);
  const exited = new Promise<Unready>((resolve) => {
    // The launcher ends as what it watches over did.
    process.once("exit", (code) => resolve({ unready: code === null || code === killedStatus ? "killed" : "ended" }));
    process.once("error", () => resolve({ unready: "ended" }));
  });
  const control = process.stdio[3] as Socket | null | undefined;
  if (control === null || control === undefined) return { unready: "ended" };
  control.on("error", () => {});
  // A pipe, not /dev/null: the forks' stdout takes its place, and Python would believe that it can seek in it.
  process.stdout?.resume();
  let words = "";
  process.stderr?.setEncoding("utf8").on("data", (text: string) => (words = (words + text).slice(-wordsMax)));

  const jobs = new Map<number, (end: ProcessEnd | undefined) => void>();
  let lost = false;
  let nextId = 0;
  const cleaned = exited.then(async () => {
    lost = true;
    control.destroy();
    for (const resolve of jobs.values()) resolve(undefined);
    jobs.clear();
    await Promise.all([rm(home, { recursive: true, force: true }), rm(socketPath, { force: true })]);
  });
  const memory = { bytes: 0, bytesAtStart: 0 };
  let lacks: readonly SandboxLack[] | undefined;
  const ready = readControl(control, {
    onConfined: (found) => (lacks = found),
    onExit(id, end, parentBytes) {
      memory.bytes = parentBytes ?? memory.bytes;
      jobs.get(id)?.(end);
      jobs.delete(id);
    },
    onNonsense: () => process.kill("SIGKILL"),
  });
  const { plugin, scratchRoot, memoryBytes, grants = noGrants, requireSandbox = false } = options;
  const inputRoots = [...options.inputRoots, ...grants.read];
  const { name, sourceCode: source, defaultOutput } = plugin;
  const nodePid = globalThis.process.pid;
  send(control, {
    nodePid,
    memoryBytes,
    name,
    source,
    folder,
    defaultOutput,
    inputRoots,
    scratchRoot,
    home,
    socketPath,
    preload,
    requireSandbox,
    hosts: grants.hosts,
  });

  const hung = expire(readyMsMax).then((): Unready => ({ unready: "hung" }));
  const state = await Promise.race([ready.then(unlessThreads), exited, hung]);
  if ("unready" in state || lacks === undefined || (requireSandbox && lacks.length > 0)) {
    process.kill("SIGKILL");
    await cleaned;
    if (requireSandbox && lacks !== undefined && lacks.length > 0) throw sandboxIncomplete(plugin.name, lacks);
    options.log.debug("a warm parent did not start", { plugin: plugin.name, preload, words, ...state });
    return "unready" in state ? state : { unready: "ended" };
  }
  memory.bytes = memory.bytesAtStart = state.memoryBytes;
  return {
    socketPath,
    lacks,
    cold,
    memory: () => memory,
    ended: cleaned,
    lastWords: () => words.trim().split("\n").at(-1) ?? "",
    start: (request) => {
      const id = (nextId += 1);
      const token = randomBytes(16).toString("hex");
      const end = new Promise<ProcessEnd | undefined>((resolve) => (lost ? resolve(undefined) : jobs.set(id, resolve)));
      send(control, { job: { id, token, name: plugin.name, ...request } });
      return { token, end, kill: () => send(control, { kill: id }) };
    },
    close: async () => {
      control.end();
      await Promise.race([cleaned, expire(closeMsMax)]);
      process.kill("SIGKILL");
      await cleaned;
    },
  };
}

/** Lays a folder's files where the plugin's process may read them, as long as this parent is there; what it is told of them. */
async function layOut({ sourceCode, folder }: ParentOptions["plugin"], code: string): Promise<object | null> {
  if (folder === null || folder === undefined) return null;
  await unpackFolder(code, sourceCode, folder);
  const { root, module, ownNames } = folderImport(folder);
  const sources = Object.entries(folder.files).flatMap(([path, text]) => (path.endsWith(".py") ? [text] : []));
  return { code, root: join(code, root), module, entry: folder.entry, ownNames, sources };
}

/** In a session of its own, so that a terminal's Ctrl-C does not reach it; the environment holds nothing of ours. */
function spawnPython(python: string, home: string): ChildProcess {
  const threads = String(availableParallelism());
  const env = {
    LANG: "C.UTF-8",
    HOME: home,
    TMPDIR: home,
    // BLAS starts its threads when it is loaded, and a fork must not have any; the others start theirs when they are used.
    OPENBLAS_NUM_THREADS: "1",
    MKL_NUM_THREADS: "1",
    OMP_NUM_THREADS: threads,
    POLARS_MAX_THREADS: threads,
    ...(globalThis.process.env["TZ"] === undefined ? {} : { TZ: globalThis.process.env["TZ"] }),
  };
  return spawn(python, ["-I", "-S", script], { cwd: home, env, detached: true, stdio: ["ignore", "pipe", "pipe", "pipe"] });
}

function unlessThreads(ready: Ready): Ready | Unready {
  return ready.threads === undefined ? ready : { unready: "threads", statement: ready.threads };
}

function send(control: Socket, message: object): void {
  if (control.writable) control.write(`${JSON.stringify(message)}\n`);
}

async function expire(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref());
}
