import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect } from "vitest";
import type { SandboxCapabilities } from "../../../bridge/sandbox.ts";
import type { PluginLimits } from "../../../bridge/pool.ts";
import { testTools } from "../../support/tools.ts";
import { pluginPath, textOf } from "../run-plugin.ts";
import type { HostileOutcome, HostileRun } from "./worker-program.ts";

export interface Worker {
  readonly pid: number;
  /** What the kernel gives this user. */
  readonly walls: SandboxCapabilities;
  /** Runs a file of test/plugins, or source code. */
  run(plugin: { readonly plugin: string } | { readonly source: string }, given?: Given): Promise<HostileOutcome>;
  /** A plugin that has nothing to do with those before it runs, with its packages as they were installed. */
  expectNextJobToWork(): Promise<void>;
  close(): Promise<void>;
}

interface Given {
  readonly input?: unknown;
  readonly limits?: Partial<PluginLimits>;
  /** Modules of its environment, while it runs. */
  readonly packages?: Readonly<Record<string, string>>;
}

/** What a kernel may lack. */
export type Wall = "landlock" | "namespaces" | "namespaces-by-limit" | "seccomp";

/** Something that no plugin may find. */
export const workersSecret = "cf-secret-of-the-worker";

const mebibyte = 1024 * 1024;
const program = join(import.meta.dirname, "worker-program.ts");
const launcher = join(import.meta.dirname, "as_ordinary_user.py");
const without = join(import.meta.dirname, "without_wall.py");
const project = resolve(import.meta.dirname, "../../..");

/** Where the tests run as root, the suite runs for root and for a user without rights; otherwise for whoever runs them. */
export const users: readonly string[] = process.getuid?.() === 0 ? ["root", "an ordinary user"] : ["this user"];

/** A worker of that user in a process of its own, which has the secret in its environment and on its command line. */
export async function startWorker(user: string, options: { readonly without?: Wall; readonly require?: boolean } = {}): Promise<Worker> {
  const { command, args } = commandOf(user, [
    ...(options.without === undefined ? [] : [testTools().python, without, options.without]),
    process.execPath,
    program,
    testTools().python,
    options.require === true ? "require" : "on",
    workersSecret,
  ]);
  const env = { PATH: process.env["PATH"], CASPARIAN_DATABASE_URL: `postgres://casparian:${workersSecret}@127.0.0.1/record` };
  const child = spawn(command, args, { env, stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
  const waiting = new Map<number, PromiseWithResolvers<HostileOutcome>>();
  const ready = Promise.withResolvers<SandboxCapabilities>();
  let nextId = 0;
  child.on("message", (message: { walls?: SandboxCapabilities; id?: number; outcome?: HostileOutcome; broken?: string }) => {
    if (message.walls !== undefined) return ready.resolve(message.walls);
    const asked = waiting.get(message.id ?? 0);
    if (message.outcome === undefined) asked?.reject(new Error(message.broken));
    else asked?.resolve(message.outcome);
  });
  child.on("exit", (code) => {
    const gone = new Error(`the worker has ended with ${code}`);
    ready.reject(gone);
    for (const asked of waiting.values()) asked.reject(gone);
  });
  const walls = await ready.promise;
  const worker: Worker = {
    pid: child.pid ?? 0,
    walls,
    run(asked, { input = {}, limits = {}, packages = {} } = {}) {
      const answer = Promise.withResolvers<HostileOutcome>();
      waiting.set((nextId += 1), answer);
      const name = "plugin" in asked ? asked.plugin : "inline";
      const request: HostileRun = {
        name,
        packages,
        source: "plugin" in asked ? readFileSync(pluginPath(name), "utf8") : asked.source,
        input: typeof input === "string" ? input : JSON.stringify(input),
        limits: { seconds: 30, memoryBytes: 256 * mebibyte, scratchBytes: 64 * mebibyte, logBytes: mebibyte, ...limits },
      };
      child.send({ id: nextId, request });
      return answer.promise;
    },
    async expectNextJobToWork() {
      const { failure, logs, left } = await worker.run({ plugin: "behaves" });
      expect({ failure, text: textOf(logs, "stdout"), left }).toEqual({ failure: undefined, text: "as it was installed\n", left: [] });
    },
    close: () => ended(child),
  };
  return worker;
}

function commandOf(user: string, line: readonly string[]): { readonly command: string; readonly args: readonly string[] } {
  const [own = "", ...args] = line;
  if (user !== "an ordinary user") return { command: own, args };
  const { python } = testTools();
  const folders = [project, dirname(realpathSync(process.execPath)), dirname(dirname(realpathSync(python)))];
  return { command: python, args: [launcher, ...folders, "--", ...line] };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve_) => child.once("exit", () => resolve_()));
  if (child.connected) child.disconnect();
  await exited;
}
