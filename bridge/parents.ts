import { randomUUID } from "node:crypto";
import { rmdir } from "node:fs/promises";
import { resolve, sep } from "node:path";
import type { Log } from "../domain/log.ts";
import type { PluginProcess } from "../domain/plugin.ts";
import { noGrants, type PluginGrants } from "../domain/plugin-grant.ts";
import { useEnvironment } from "./environment-use.ts";
import { type Parent, type ParentOptions, startParent } from "./parent.ts";

/**
 * Which warm parents there are. Idle ones are ended where there are too many, where they hold too much memory together, or when nothing has
 * asked for them for long; one that has grown is replaced. The least recently used goes first, so a plugin with many files does not
 * take more than the one place that it needs.
 */
export interface Parents {
  /** A parent for this job, started if need be; `release` must follow. */
  acquire(wanted: Wanted): Held;
  /** Resolves at once, but for a parent that served this job alone: then when it has ended. */
  release(held: Held): Promise<void>;
  /** Starts a parent that nothing has asked for yet, if there is room for it; whether there was. Never rejects. */
  warm(wanted: Wanted): Promise<boolean>;
  /** Ends all of them, at work or not. */
  close(): Promise<void>;
}

export interface Wanted {
  readonly plugin: ParentOptions["plugin"] & { readonly artifactHash: string; readonly process?: PluginProcess | undefined };
  readonly python: string;
  readonly inputRoots: readonly string[];
  readonly scratchRoot: string;
  /** What its imports may take, and each of its jobs beyond that. */
  readonly memoryBytes: number;
  /** Nothing unless given. */
  readonly grants?: PluginGrants | undefined;
}

export interface ParentsOptions {
  readonly log: Log;
  readonly socketDir: string;
  readonly countMax: number;
  readonly idleMs: number;
  readonly memoryBytesMax: number;
  /** Whether nothing is to run where the kernel lacks a wall of the sandbox. */
  readonly requireSandbox: boolean;
}

export interface Held {
  readonly key: string;
  readonly inputRoots: readonly string[];
  readonly started: Promise<Parent>;
  jobs: number;
  /** No new jobs; closed when the last one is over. */
  retired: boolean;
  usedAt: number;
  /** Once it is warm. */
  parent: Parent | undefined;
}

/** Freed memory seldom goes back to the system, so a little growth is usual: a parent is replaced when it has grown by half and by this. */
const growthBytesMin = 64 * 1024 * 1024;
const growthFactorMax = 1.5;

export function createParents(options: ParentsOptions): Parents {
  const parents = new Map<string, Held>();
  const closing = new Set<Promise<void>>();

  function begin(key: string, { plugin, python, scratchRoot, memoryBytes, grants }: Wanted, inputRoots: readonly string[]): Held {
    const use = useEnvironment(python);
    const { log, socketDir, requireSandbox } = options;
    const warm = !isFresh(plugin);
    const started = startParent({ plugin, python, inputRoots, scratchRoot, memoryBytes, grants, socketDir, requireSandbox, warm, log });
    const held: Held = { key, inputRoots, started, jobs: 0, retired: !warm, usedAt: Date.now(), parent: undefined };
    parents.set(key, held);
    const ended = (): void => {
      use.release();
      forget(held);
      // Unless the next parent is there already.
      void rmdir(scratchRoot).catch(() => {});
    };
    void started
      .then((parent) => {
        held.parent = parent;
        endSpare();
        return parent.ended;
      })
      .then(ended, ended);
    return held;
  }

  function find(wanted: Wanted): Held {
    const key = keyOf(wanted);
    const present = parents.get(key);
    const roots = wanted.inputRoots.map((root) => resolve(root));
    if (present !== undefined && roots.every((root) => present.inputRoots.some((own) => isBelow(root, own)))) return present;
    if (present !== undefined) retire(present);
    const others = present?.inputRoots.filter((own) => !roots.some((root) => isBelow(own, root))) ?? [];
    return begin(key, wanted, [...others, ...roots]);
  }

  function forget(held: Held): void {
    if (parents.get(held.key) === held) parents.delete(held.key);
  }

  function retire(held: Held): void {
    held.retired = true;
    forget(held);
    if (held.jobs === 0) void close(held);
  }

  function close(held: Held): Promise<void> {
    const done = held.started.then(
      (parent) => parent.close(),
      () => {},
    );
    closing.add(done);
    void done.then(() => closing.delete(done));
    return done;
  }

  /** Down to the most, by count and by memory, as far as idle ones allow. */
  function endSpare(): void {
    const idle = [...parents.values()]
      .filter((held) => held.jobs === 0 && held.parent !== undefined)
      .toSorted((a, b) => a.usedAt - b.usedAt);
    for (const held of idle) {
      if (parents.size <= options.countMax && heldBytes() <= options.memoryBytesMax) return;
      retire(held);
    }
  }

  function heldBytes(): number {
    return [...parents.values()].reduce((sum, { parent }) => sum + (parent?.memory().bytes ?? 0), 0);
  }

  const sweeper = setInterval(
    () => {
      for (const held of parents.values()) if (held.jobs === 0 && Date.now() - held.usedAt > options.idleMs) retire(held);
    },
    Math.min(options.idleMs, 30_000),
  ).unref();

  return {
    acquire(wanted) {
      const held = find(wanted);
      held.jobs += 1;
      held.usedAt = Date.now();
      return held;
    },
    async release(held) {
      held.jobs -= 1;
      held.usedAt = Date.now();
      if (held.retired) {
        forget(held);
        if (held.jobs === 0) await close(held);
        return;
      }
      if (hasGrown(held.parent)) {
        options.log.debug("a warm parent has grown and is replaced", { ...held.parent?.memory() });
        retire(held);
      }
      endSpare();
    },
    async warm(wanted) {
      if (isFresh(wanted.plugin) || parents.size >= options.countMax || heldBytes() >= options.memoryBytesMax) return false;
      const started = find(wanted).started;
      return started.then(
        () => true,
        () => false,
      );
    },
    async close() {
      clearInterval(sweeper);
      for (const held of parents.values()) {
        forget(held);
        void close(held);
      }
      await Promise.all(closing);
    },
  };
}

/** Elsewhere than on Linux libraries of the system may not survive a fork. */
function isFresh(plugin: Wanted["plugin"]): boolean {
  return plugin.process === "fresh" || process.platform !== "linux";
}

/** Files of one plugin share a parent, unless each of them is to have one of its own. Another plugin of the same code has other outputs. */
function keyOf({ plugin, python, scratchRoot, memoryBytes, grants = noGrants }: Wanted): string {
  const own = isFresh(plugin) ? [randomUUID()] : [];
  // Other grants and limits are another sandbox.
  return [plugin.artifactHash, plugin.name, plugin.defaultOutput, python, scratchRoot, memoryBytes, JSON.stringify(grants), ...own].join(
    "\n",
  );
}

function hasGrown(parent: Parent | undefined): boolean {
  if (parent === undefined) return false;
  const { bytes, bytesAtStart } = parent.memory();
  return bytes > Math.max(bytesAtStart * growthFactorMax, bytesAtStart + growthBytesMin);
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}
