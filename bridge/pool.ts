import { mkdtempSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Log } from "../domain/log.ts";
import type { TransportName } from "../domain/transport.ts";
import { type PluginReport, type PluginRun, runJob } from "./job.ts";
import { createParents, type Wanted } from "./parents.ts";
import type { PluginHandlers } from "./received.ts";
import { removeFolder } from "./scratch.ts";
import { chooseTransport } from "./transport/choose.ts";

export type { PluginLimits } from "./failure.ts";
export type { PluginReport, PluginRun } from "./job.ts";
export type { LogChunk } from "./logs.ts";
export type { PluginHandlers } from "./received.ts";

export interface PluginPoolOptions {
  readonly log: Log;
  /** Idle warm parents above this count are ended, the least recently used first; each holds some 100 MB. */
  readonly maxParents?: number | undefined;
  /** The same for the memory that all of them hold together, without what their forks add. */
  readonly memoryBytesMax?: number | undefined;
  /** Whether jobs are refused where the kernel lacks a wall of the sandbox. */
  readonly requireSandbox?: boolean | undefined;
  /** How long a warm parent is kept without a job. */
  readonly idleSeconds?: number | undefined;
  /** How rows come from plugins; `unix` unless given. */
  readonly transport?: TransportName | undefined;
}

/**
 * Runs plugins, each file in a process of its own, forked from a warm parent of the plugin's.
 *
 * Invariant: when `run` has settled, no process and no file of that run is left, on success, failure and abort alike. If this process is
 * killed, all of its plugins' processes end by themselves.
 */
export interface PluginPool {
  run(request: PluginRun, handlers: PluginHandlers): Promise<PluginReport>;
  /** Starts a plugin's warm parent before its first file comes, if there is room for one more; whether it did. Never rejects. */
  warm(wanted: Wanted): Promise<boolean>;
  /** Ends every process. Runs under way reject with TransientFailure PLUGIN_PARENT_LOST. */
  close(): Promise<void>;
}

const socketPathBytesMax = 100;

export function createPluginPool(options: PluginPoolOptions): PluginPool {
  const socketDir = makeSocketFolder();
  const parents = createParents({
    log: options.log,
    socketDir,
    countMax: options.maxParents ?? 8,
    idleMs: (options.idleSeconds ?? 600) * 1000,
    memoryBytesMax: options.memoryBytesMax ?? Infinity,
    requireSandbox: options.requireSandbox ?? false,
  });
  let closed = false;

  return {
    run: async (request, handlers) => {
      request.signal.throwIfAborted();
      if (closed) throw new Error("the plugin pool is closed");
      const { plugin, python, limits, grants } = request;
      const scratchDir = scratchOf(request);
      await mkdir(scratchDir, { recursive: true, mode: 0o700 });
      const inputRoots = [request.inputRoot ?? dirname(request.inputPath)];
      const held = parents.acquire({
        plugin,
        python,
        inputRoots,
        scratchRoot: dirname(scratchDir),
        memoryBytes: limits.memoryBytes,
        grants,
      });
      try {
        const parent = await unlessAborted(held.started, request.signal);
        return await runJob(parent, await chooseTransport(options.transport ?? "unix"), { ...request, scratchDir }, handlers);
      } finally {
        await parents.release(held);
        await removeFolder(scratchDir);
      }
    },
    warm: async (wanted) => {
      const scratchRoot = scratchRootOf(wanted.plugin.artifactHash, wanted.scratchRoot);
      await mkdir(scratchRoot, { recursive: true, mode: 0o700 });
      return !closed && (await parents.warm({ ...wanted, scratchRoot }));
    },
    close: async () => {
      closed = true;
      await parents.close();
      await rm(socketDir, { recursive: true, force: true });
    },
  };
}

function scratchOf({ scratchDir, plugin }: PluginRun): string {
  return join(scratchRootOf(plugin.artifactHash, dirname(scratchDir)), basename(scratchDir));
}

/** The warm parent may write to the scratch folders of all its jobs, so those of another plugin's lie elsewhere. */
function scratchRootOf(artifactHash: string, shared: string): string {
  return join(shared, `plugin-${artifactHash.slice(0, 16)}`);
}

/** Only this user can come in, and its path leaves room for a socket's name: the kernel takes 107 bytes. */
function makeSocketFolder(): string {
  const base = [tmpdir(), "/tmp"].find((folder) => Buffer.byteLength(join(folder, "cf-XXXXXX", "123456789abc.sock")) <= socketPathBytesMax);
  return mkdtempSync(join(base ?? "/tmp", "cf-"));
}

/** A parent that is being started goes on starting for the next job. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
