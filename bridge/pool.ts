import { mkdtempSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import type { Log } from "../domain/log.ts";
import { useEnvironment } from "./environment-use.ts";
import { type PluginReport, type PluginRun, runJob } from "./job.ts";
import { type Parent, startParent } from "./parent.ts";
import type { PluginHandlers } from "./received.ts";
import { removeFolder } from "./scratch.ts";

export type { PluginLimits } from "./failure.ts";
export type { PluginReport, PluginRun } from "./job.ts";
export type { LogChunk } from "./logs.ts";
export type { PluginHandlers } from "./received.ts";

export interface PluginPoolOptions {
  readonly log: Log;
  /** Idle warm parents above this count are ended, the least recently used first; each holds some 100 MB. */
  readonly maxParents?: number | undefined;
  /** How long a warm parent is kept without a job. */
  readonly idleSeconds?: number | undefined;
}

/**
 * Runs plugins, each file in a process of its own, forked from a warm parent of the plugin's.
 *
 * Invariant: when `run` has settled, no process and no file of that run is left, on success, failure and abort alike. If this process is
 * killed, all of its plugins' processes end by themselves.
 */
export interface PluginPool {
  run(request: PluginRun, handlers: PluginHandlers): Promise<PluginReport>;
  /** Ends every process. Runs under way reject with TransientFailure PLUGIN_PARENT_LOST. */
  close(): Promise<void>;
}

interface Held {
  readonly key: string;
  readonly inputRoots: readonly string[];
  readonly started: Promise<Parent>;
  jobs: number;
  /** No new jobs; closed when the last one is over. */
  retired: boolean;
  usedAt: number;
}

const socketPathBytesMax = 100;

export function createPluginPool(options: PluginPoolOptions): PluginPool {
  const maxParents = options.maxParents ?? 8;
  const idleMs = (options.idleSeconds ?? 600) * 1000;
  const socketDir = makeSocketFolder();
  const parents = new Map<string, Held>();
  const closing = new Set<Promise<void>>();
  let closed = false;

  function acquire(request: PluginRun): Held {
    const scratchRoot = dirname(request.scratchDir);
    const key = [request.plugin.artifactHash, request.python, scratchRoot].join("\n");
    const inputRoot = resolve(request.inputRoot ?? dirname(request.inputPath));
    const present = parents.get(key);
    if (present !== undefined && present.inputRoots.some((root) => isBelow(inputRoot, root))) {
      present.jobs += 1;
      present.usedAt = Date.now();
      return present;
    }
    if (present !== undefined) retire(present);
    const inputRoots = [...(present?.inputRoots.filter((root) => !isBelow(root, inputRoot)) ?? []), inputRoot];
    const use = useEnvironment(request.python);
    const started = startParent({ plugin: request.plugin, python: request.python, inputRoots, scratchRoot, socketDir, log: options.log });
    const held: Held = { key, inputRoots, started, jobs: 1, retired: false, usedAt: Date.now() };
    parents.set(key, held);
    const ended = (): void => {
      use.release();
      forget(held);
    };
    void started.then((parent) => parent.ended).then(ended, ended);
    return held;
  }

  function release(held: Held): void {
    held.jobs -= 1;
    held.usedAt = Date.now();
    if (held.retired && held.jobs === 0) close(held);
    const idle = [...parents.values()].filter((one) => one.jobs === 0).toSorted((a, b) => a.usedAt - b.usedAt);
    for (const one of idle.slice(0, Math.max(0, parents.size - maxParents))) retire(one);
  }

  function forget(held: Held): void {
    if (parents.get(held.key) === held) parents.delete(held.key);
  }

  function retire(held: Held): void {
    held.retired = true;
    forget(held);
    if (held.jobs === 0) close(held);
  }

  function close(held: Held): void {
    const done = held.started.then(
      (parent) => parent.close(),
      () => {},
    );
    closing.add(done);
    void done.then(() => closing.delete(done));
  }

  const sweeper = setInterval(
    () => {
      for (const held of parents.values()) if (held.jobs === 0 && Date.now() - held.usedAt > idleMs) retire(held);
    },
    Math.min(idleMs, 30_000),
  ).unref();

  return {
    run: async (request, handlers) => {
      request.signal.throwIfAborted();
      if (closed) throw new Error("the plugin pool is closed");
      await mkdir(request.scratchDir, { recursive: true, mode: 0o700 });
      const held = acquire(request);
      try {
        return await runJob(await unlessAborted(held.started, request.signal), request, handlers);
      } finally {
        release(held);
        await removeFolder(request.scratchDir);
      }
    },
    close: async () => {
      closed = true;
      clearInterval(sweeper);
      for (const held of parents.values()) {
        forget(held);
        close(held);
      }
      await Promise.all(closing);
      await rm(socketDir, { recursive: true, force: true });
    },
  };
}

/** Only this user can come in, and its path leaves room for a socket's name: the kernel takes 107 bytes. */
function makeSocketFolder(): string {
  const base = [tmpdir(), "/tmp"].find((folder) => Buffer.byteLength(join(folder, "cf-XXXXXX", "123456789abc.sock")) <= socketPathBytesMax);
  return mkdtempSync(join(base ?? "/tmp", "cf-"));
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
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
