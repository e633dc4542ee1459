import type { WatchMode } from "../../db/source-root.ts";
import { messageOf } from "../../domain/failure.ts";
import type { Log } from "../../domain/log.ts";
import { selection, type SelectionGlobs } from "../../domain/selection.ts";
import type { OpenWatch, WatchAdapter, WatchEvents, WatchTarget } from "./adapter.ts";
import { chooseAdapter, outgrowsChokidar, type AdapterName, type Choice } from "./choose.ts";
import { coalesce, type Coalescer } from "./coalesce.ts";
import { findRoot, identify, type Root } from "./root.ts";

/** What is in a new folder may have come before the folder was watched: it is looked at once more. Milliseconds. */
const newFolderMs = 1_000;
const rootCheckMs = 2_000;
/** What may have been missed is reason to open it again, after so many times what the opening took, and not sooner than this. Milliseconds. */
const refreshAfter = 20;
const refreshMsMin = 2_000;
/** A tree may grow out of what was chosen for it. Milliseconds. */
const chooseAgainMs = 10 * 60_000;

export interface OpeningOptions {
  readonly path: string;
  readonly globs: SelectionGlobs;
  readonly mode: WatchMode;
  readonly adapters: Readonly<Record<AdapterName, WatchAdapter>>;
  readonly onReady: () => void;
  /** No adapter sees changes there. */
  readonly onBlind: (reason: string) => void;
  readonly onHint: (paths: readonly string[] | null) => void;
  readonly log: Log;
}

/** Why it was closed: to be opened again, or not. */
export type Why =
  | { readonly kind: "moved" | "stale" | "closed" }
  | { readonly kind: "failed"; readonly error: unknown; readonly afterMs: number };

/** Chooses an adapter and watches with it until there is a reason to open it again, or `closing` resolves. It is closed then. */
export async function watchOnce(options: OpeningOptions, closing: Promise<Why>): Promise<Why> {
  // A share that doesn't answer holds up neither the event loop nor the end.
  const prepared = await Promise.race([closing, prepare(options).catch((error: unknown) => failed(error))]);
  if ("kind" in prepared) return prepared;
  const { root, target, choice } = prepared;
  const { promise, resolve: wake } = Promise.withResolvers<Why>();
  const doubt = createDoubt(() => wake({ kind: "stale" }));
  const hints = coalesce(options.onHint, doubt.raise);
  const opened = open(options, prepared, listen(options, hints, wake, doubt));

  const checks = [
    repeat(rootCheckMs, async () => (doubt.ofRoot() || (await identify(options.path)) !== root.identity) && wake({ kind: "moved" })),
    repeat(chooseAgainMs, async () => {
      const isOutgrown = options.mode === "auto" && choice.adapter === "chokidar" && target !== null;
      if (isOutgrown && (await outgrowsChokidar(target.root, target.selection.entersFolder))) wake({ kind: "stale" });
    }),
  ];
  const why = await Promise.race([promise, closing]);
  for (const stop of [...checks, doubt.stop, hints.close]) stop();
  await opened?.close();
  return why;
}

interface Prepared {
  readonly root: Root;
  /** Null where no folder is there. */
  readonly target: WatchTarget | null;
  readonly choice: Choice;
}

async function prepare({ path, globs, mode }: OpeningOptions): Promise<Prepared> {
  const root = await findRoot(path);
  if (root.path === null) return { root, target: null, choice: { adapter: "chokidar" } };
  const target = { root: root.path, globs, selection: selection(globs) };
  if (mode === "chokidar" || mode === "native") return { root, target, choice: { adapter: mode } };
  return { root, target, choice: await chooseAdapter(root.path, target.selection.entersFolder) };
}

function open({ adapters, onBlind, path, log }: OpeningOptions, { target, choice }: Prepared, events: WatchEvents): OpenWatch | null {
  if (target === null) return null;
  if (choice.adapter === null) {
    onBlind(choice.reason);
    return null;
  }
  log.debug("a folder is watched", { root: path, with: choice.adapter });
  return adapters[choice.adapter](target, events);
}

/** What an adapter tells becomes hints, and reasons to open it again. */
function listen({ path: root, log, onReady }: OpeningOptions, hints: Coalescer, wake: (why: Why) => void, doubt: Doubt): WatchEvents {
  const began = performance.now();
  return {
    ready() {
      doubt.allow((performance.now() - began) * refreshAfter);
      onReady();
    },
    changed(path) {
      hints.add(path);
      if (path === "") doubt.raiseOfRoot();
    },
    appeared(path) {
      hints.add(path);
      hints.addLater(path, newFolderMs);
    },
    flooded: (changes) => hints.addUnnamed(changes),
    lost(reason) {
      log.debug("some changes may not be seen; the folder is watched anew soon", { root, reason });
      doubt.raise();
    },
    skipped: (error) => log.debug("a folder can't be watched; the scheduled scans look at it", { root, reason: messageOf(error) }),
    ended: (error) => wake(failed(error, performance.now() - began)),
  };
}

function failed(error: unknown, afterMs = 0): Why {
  return { kind: "failed", error, afterMs };
}

/** Whether an open watcher still sees everything. */
interface Doubt {
  raise(): void;
  raiseOfRoot(): void;
  ofRoot(): boolean;
  /** It may be acted on after so long. */
  allow(afterMs: number): void;
  stop(): void;
}

function createDoubt(act: () => void): Doubt {
  let from = performance.now() + refreshMsMin;
  let timer: NodeJS.Timeout | undefined;
  let isOfRoot = false;
  return {
    raise: () => (timer ??= setTimeout(act, Math.max(0, from - performance.now()))),
    raiseOfRoot: () => (isOfRoot = true),
    ofRoot: () => isOfRoot,
    allow: (afterMs) => (from = Math.max(from, performance.now() + afterMs)),
    stop: () => clearTimeout(timer),
  };
}

/** Repeats work, one at a time, until it is stopped by the returned function. */
function repeat(everyMs: number, work: () => Promise<unknown>): () => void {
  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    void work().finally(() => (isBusy = false));
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
