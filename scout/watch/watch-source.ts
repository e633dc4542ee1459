import { setTimeout as pause } from "node:timers/promises";
import type { WatchMode } from "../../db/source-root.ts";
import { messageOf } from "../../domain/failure.ts";
import type { Log } from "../../domain/log.ts";
import { errorCode } from "../../domain/system-error.ts";
import type { WatchAdapter } from "./adapter.ts";
import { watchWithChokidar } from "./chokidar.ts";
import type { AdapterName } from "./choose.ts";
import { echoHints } from "./echo.ts";
import { nativeMissing } from "./native-message.ts";
import { nativeAdapter } from "./native.ts";
import { watchOnce, type OpeningOptions, type Why } from "./opening.ts";
import { adviceFor, isScarcity } from "./scarcity.ts";

export interface WatchOptions {
  /** The source's root folder, absolute. */
  readonly path: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Whether archives are opened; not unless given. */
  readonly archives?: boolean;
  readonly watch?: WatchMode;
  /** What has changed is told again after so long. Milliseconds; not again unless given. */
  readonly settleMs?: number;
  /** Paths below the root at which something may have changed; null when there are too many to name. */
  readonly onHint: (paths: readonly string[] | null) => void;
  readonly log: Log;
  readonly adapters?: Readonly<Record<AdapterName, WatchAdapter>>;
}

export interface SourceWatcher {
  /** True once changes are seen; false where they are not: watching is off, or not possible here, which was logged. */
  readonly ready: Promise<boolean>;
  close(): Promise<void>;
}

/** What ends by itself is opened again, so many times in a row, each time a little later. */
const failuresMax = 5;
const retryMs = 250;
/** Whoever has watched for so long is no failure. Milliseconds. */
const steadyMs = 10 * 60_000;

/**
 * Watches a source's folders and tells where to look. Hints may be missing, late or wrong: scans decide, and the scheduled ones find what
 * no event told.
 *
 * An adapter does the watching; which one is decided, unless the setting does, whenever it is opened. It is opened again when the root is
 * another folder than before (unmounted, replaced, made again), when it ended by itself, and when a flood of events is over, for the kernel
 * may have dropped the news of a folder. That it can't go on is said once.
 */
export function watchSource(options: WatchOptions): SourceWatcher {
  if (options.watch === "off") return { ready: Promise.resolve(false), close: async () => {} };
  const { promise: ready, resolve: settle } = Promise.withResolvers<boolean>();
  const { promise: closing, resolve: onClose } = Promise.withResolvers<Why>();
  const { onHint, stop } = echoHints(options.onHint, options.settleMs ?? 0);
  const following = follow({ ...options, onHint }, settle, closing);
  return {
    ready,
    async close() {
      stop();
      onClose({ kind: "closed" });
      await following;
      settle(false);
    },
  };
}

async function follow(options: WatchOptions, settle: (isWatched: boolean) => void, closing: Promise<Why>): Promise<void> {
  const opening = openingOptions(options, settle);
  let mode = options.watch ?? "auto";
  let failures = 0;
  for (;;) {
    const why = await watchOnce({ ...opening, mode }, closing);
    if (why.kind === "closed") return;
    // What happens until it is open again, a look at everything finds when it is.
    if (why.kind === "moved") options.onHint(null);
    if (why.kind !== "failed") continue;
    failures = why.afterMs > steadyMs ? 1 : failures + 1;
    const code = errorCode(why.error);
    if (code === nativeMissing && mode === "auto") {
      mode = "chokidar";
      sayFallback(options, why.error);
    } else if (code === nativeMissing || isScarcity(code) || failures > failuresMax) {
      settle(false);
      sayEnd(options, why.error);
      return;
    } else await Promise.race([closing, pause(retryMs * failures)]);
  }
}

function openingOptions(options: WatchOptions, settle: (isWatched: boolean) => void): Omit<OpeningOptions, "mode"> {
  const { path, include = [], exclude = [], archives = false, onHint, log } = options;
  let isSettled = false;
  let blindReason = "";
  return {
    path,
    globs: { include, exclude, archives },
    onHint,
    log,
    adapters: options.adapters ?? { chokidar: watchWithChokidar, native: nativeAdapter() },
    onReady() {
      if (isSettled) onHint(null);
      isSettled = true;
      settle(true);
    },
    onBlind(reason) {
      isSettled = true;
      settle(false);
      if (reason === blindReason) return;
      blindReason = reason;
      const advice = "if all changes are made through this machine, watch it all the same: casparian source set NAME --watch native";
      log.warn(`changes below ${path} can't be watched; the scheduled scans still find them`, { reason, advice });
    },
  };
}

function sayFallback({ path, log }: WatchOptions, error: unknown): void {
  log.warn(`${path} has many files and is watched with chokidar all the same, because the native watcher can't be loaded`, {
    reason: messageOf(error),
    advice: "install its package for this machine: npm ci --include=optional",
  });
}

function sayEnd({ path, log }: WatchOptions, error: unknown): void {
  const fields = { reason: messageOf(error), advice: adviceFor(errorCode(error)) };
  log.warn(`changes below ${path} can't be watched; the scheduled scans still find them`, fields);
}
