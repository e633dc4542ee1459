import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa, type ResultPromise } from "execa";
import { afterAll, vi } from "vitest";
import { program, runCommand } from "./command.ts";
import { environmentRoot } from "./environment-root.ts";
import { patience } from "./patience.ts";
import { bundleCache } from "./workflow-bundle.ts";

/** What `casparian status --json` says, as far as tests ask. */
export interface ProductStatus {
  readonly database: { readonly url: string; readonly readerUrl: string };
  readonly temporal: { readonly address: string; readonly namespace: string; readonly uiUrl: string | null };
  readonly running: { readonly pid: number; readonly command: string } | null;
}

/** How a command ended. */
export interface Ended {
  readonly exitCode?: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

type RunningCommand = Pick<ResultPromise, "kill" | "pid" | "stderr"> & Promise<Ended>;

/** The product as a user has it: real processes in a folder of its own. */
export interface Product {
  readonly home: string;
  readonly inbox: string;
  /** Runs a command to its end; doesn't throw for exit codes. Those that run a worker have a process of their own. */
  run(...args: readonly string[]): Promise<Ended>;
  /** Runs a command that must succeed, and returns its JSON document. */
  json<T = unknown>(...args: readonly string[]): Promise<T>;
  /** Starts `casparian start` and resolves when it is ready. */
  start(...args: readonly string[]): Promise<RunningProduct>;
  /** Writes a file below the home. */
  write(path: string, content: string): Promise<string>;
}

export interface RunningProduct {
  readonly process: RunningCommand;
  readonly status: ProductStatus;
  /** Everything that it has written to stderr so far. */
  readonly output: () => string;
  /** SIGTERM, and its result. */
  stop(): Promise<Ended>;
  /** `kill -9` of the product, of its services and of every plugin process, at once. */
  killEverything(): Promise<void>;
}

/** A job as `casparian jobs list --json` tells it, as far as tests ask. */
export interface ListedJob {
  readonly id: string;
  readonly state: string;
  readonly plugin: string;
  readonly path: string;
  readonly sequence: number;
}

export function listJobs(product: Product): Promise<readonly ListedJob[]> {
  return product.json<readonly ListedJob[]>("jobs", "list");
}

/**
 * A new home with an empty inbox that is a source named `inbox`, for the tests of the file that calls it, which may take minutes. After the
 * last of them what runs in it is stopped, and it is removed. Python environments and the workflows' bundle that tests have
 * built are there already, unless it is to be bare: making both takes some twelve seconds of processor time.
 */
export async function testProduct(options: { readonly settleMs?: number; readonly bare?: boolean } = {}): Promise<Product> {
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
  const home = await mkdtemp(join(tmpdir(), "casparian-test-"));
  const inbox = join(home, "inbox");
  await mkdir(inbox);
  if (options.bare !== true) {
    await Promise.all([mkdir(join(home, ".casparian")), mkdir(bundleCache, { recursive: true })]);
    await symlink(environmentRoot, join(home, ".casparian/environments"));
    await symlink(bundleCache, join(home, ".casparian/cache"));
  }
  const started: RunningProduct[] = [];
  const runProcess = (...args: readonly string[]) => execa(process.execPath, [program, "--home", home, ...args], { reject: false });
  const run = async (...args: readonly string[]): Promise<Ended> =>
    args[0] === "start" || args[0] === "scan" ? runProcess(...args) : runCommand(["--home", home, ...args]);
  const product: Product = {
    home,
    inbox,
    run,
    async json<T>(...args: readonly string[]) {
      const result = await run(...args, "--json");
      if (result.exitCode !== 0) throw new Error(`casparian ${args.join(" ")} ended with ${result.exitCode}: ${result.stderr}`);
      return JSON.parse(result.stdout) as T;
    },
    async start(...args) {
      const running = await startProduct(product, runProcess("start", ...args));
      started.push(running);
      return running;
    },
    async write(path, content) {
      await writeFile(join(home, path), content);
      return join(home, path);
    },
  };
  afterAll(async () => {
    await Promise.all(started.map((running) => running.stop()));
    await rm(home, { recursive: true, force: true });
  });
  const added = await product.run("source", "add", "inbox", inbox, "--settle", String((options.settleMs ?? 50) / 1000));
  if (added.exitCode !== 0) throw new Error(`the source could not be added: ${added.stderr}`);
  return product;
}

async function startProduct(product: Product, child: RunningCommand): Promise<RunningProduct> {
  let output = "";
  child.stderr!.on("data", (chunk: Buffer) => (output += chunk.toString()));
  let ended = false;
  void child.then(() => (ended = true));
  const status = await vi.waitFor(
    async () => {
      if (ended) throw new Error(`casparian start ended: ${output}`);
      const runFile = JSON.parse(await readFile(join(product.home, ".casparian/run.json"), "utf8")) as { readonly pid: number };
      if (runFile.pid !== child.pid) throw new Error("only what an earlier run has left is there");
      const found = await product.json<ProductStatus>("status");
      if (found.running === null) throw new Error("not running yet");
      return found;
    },
    { ...patience, interval: 200 },
  );
  return {
    process: child,
    status,
    output: () => output,
    async stop() {
      child.kill("SIGTERM");
      return child;
    },
    async killEverything() {
      const pids = await processesOf(product.home);
      for (const pid of [child.pid!, ...pids]) kill(pid);
      await child;
      await vi.waitFor(
        async () => {
          const left = await processesOf(product.home);
          if (left.length > 0) throw new Error(`still there: ${await describeProcesses(left)}`);
        },
        { ...patience, interval: 200 },
      );
    },
  };
}

/** Processes that have the folder in their command line or environment, or work in it: everything that the product started for it. */
export async function processesOf(home: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const found = await Promise.all(pids.map(async (pid) => ((await tellsOf(pid)).includes(home) ? [pid] : [])));
  return found.flat();
}

async function tellsOf(pid: number): Promise<string> {
  const parts = ["cmdline", "environ"].map((part) => readFile(`/proc/${pid}/${part}`, "utf8").catch(() => ""));
  return (await Promise.all([...parts, readlink(`/proc/${pid}/cwd`).catch(() => "")])).join("\n");
}

/** A line for each, for people; empty where there is none. */
export async function describeProcesses(pids: readonly number[]): Promise<string> {
  if (pids.length === 0) return "";
  const { stdout } = await execa("ps", ["-o", "pid,ppid,stat,args", "-p", pids.join(",")], { reject: false });
  return stdout;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
