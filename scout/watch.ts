import { statSync } from "node:fs";
import { relative } from "node:path";
import { watch as watchWithChokidar, type FSWatcher } from "chokidar";
import { messageOf } from "../domain/failure.ts";
import type { Log } from "../domain/log.ts";
import { errorCode } from "./stat.ts";
import { hintsMax } from "./hints.ts";
import { selection } from "./select.ts";

export interface WatchOptions {
  /** The source's root folder, absolute. */
  readonly path: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Whether archives are opened; not unless given. */
  readonly archives?: boolean;
  /** Paths below the root at which something may have changed; null when there are too many to name. */
  readonly onHint: (paths: readonly string[] | null) => void;
  readonly log: Log;
}

export interface SourceWatcher {
  /** True once changes are seen; false when watching is not possible here, which was logged. */
  readonly ready: Promise<boolean>;
  close(): Promise<void>;
}

/** A burst of events becomes one hint after so long a quiet, and after so long at the latest. Milliseconds. */
const quietMs = 20;
const burstMs = 200;
/** Characters of all paths of a hint; Temporal refuses messages of some megabytes. */
const hintLengthMax = 200_000;
/** chokidar starts to watch a new folder only after reading it; what appears in between is found by looking once more. Milliseconds. */
const newFolderMs = 1_000;
const rootCheckMs = 2_000;

/**
 * Watches a source's folders and tells where to look. Hints may be missing, late or wrong: scans decide, and the periodic ones find what
 * no event told.
 *
 * chokidar is left to follow the folders; it is not given the files, which would cost one kernel watch and a kilobyte each. Events of
 * files come as their folder's raw ones, which also aren't thinned out: chokidar drops a change within 50 ms of another.
 */
export function watchSource(
  { path: root, include = [], exclude = [], archives = false, onHint, log }: WatchOptions,
  watch = watchWithChokidar,
): SourceWatcher {
  const { takesFile, entersFolder } = selection({ include, exclude, archives });
  const hints = coalesce(onHint);
  const { promise: ready, resolve } = Promise.withResolvers<boolean>();
  let ended = false;
  let watched = identify(root);
  let watcher = open();
  const checking = setInterval(() => void followRoot(), rootCheckMs);
  checking.unref();
  return { ready, close };

  function open(): FSWatcher {
    const opened = watch(root, {
      ignoreInitial: true,
      persistent: true,
      followSymlinks: false,
      atomic: false,
      ignorePermissionErrors: true,
      ignored: (path, stats) => (path !== root && !entersFolder(relative(root, path))) || stats?.isDirectory() === false,
    });
    opened.on("raw", (_event, name, details) => {
      const { watchedPath } = details as { readonly watchedPath: string };
      // Without a name it is about the folder itself.
      const path = relative(root, name ? `${watchedPath}/${name}` : watchedPath);
      if (path === "" || takesFile(path)) hints.add(path);
    });
    opened.on("all", (event, path) => {
      if (event !== "addDir" && event !== "unlinkDir") return;
      hints.add(relative(root, path));
      if (event === "addDir") hints.addLater(relative(root, path), newFolderMs);
    });
    opened.on("ready", () => resolve(true));
    opened.on("error", (error) => {
      if (scarcities.has(errorCode(error))) giveUp(error);
      else log.debug("a folder can't be watched; the periodic scan looks at it", { root, reason: messageOf(error) });
    });
    return opened;
  }

  /** After an unmount or a replacement the kernel goes on watching what was there before. */
  async function followRoot(): Promise<void> {
    const found = identify(root);
    if (found === watched) return;
    watched = found;
    await shut(watcher);
    if (ended) return;
    watcher = open();
    hints.add("");
  }

  function giveUp(error: unknown): void {
    if (ended) return;
    const fields = { reason: messageOf(error), advice: advise(error) };
    log.warn(`changes below ${root} can't be watched; the periodic scan still finds them`, fields);
    void close();
  }

  async function close(): Promise<void> {
    ended = true;
    clearInterval(checking);
    hints.close();
    resolve(false);
    await shut(watcher);
  }
}

/** chokidar takes all listeners away and may still emit errors, which nobody heard and so would end the process. */
async function shut(watcher: FSWatcher): Promise<void> {
  const closed = watcher.close();
  watcher.on("error", () => {});
  await closed;
}

/** What the kernel has no more of, it has no more of for the next folder either. */
const scarcities: ReadonlySet<string> = new Set(["ENOSPC", "EMFILE", "ENFILE", "ENOMEM"]);

function advise(error: unknown): string {
  if (errorCode(error) === "ENOSPC") return "raise the limit: sysctl fs.inotify.max_user_watches=1048576";
  if (errorCode(error) === "EMFILE") return "raise the limits: sysctl fs.inotify.max_user_instances=1024, ulimit -n 65536";
  return "free some memory or close some files";
}

function identify(folder: string): string {
  try {
    const stats = statSync(folder, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? "nothing" : `${stats.dev}:${stats.ino}`;
  } catch (error) {
    return errorCode(error);
  }
}

interface Coalescer {
  add(path: string): void;
  addLater(path: string, afterMs: number): void;
  close(): void;
}

function coalesce(onHint: (paths: readonly string[] | null) => void): Coalescer {
  let paths = new Set<string>();
  let since = 0;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const later = new Set<NodeJS.Timeout>();
  const coalescer: Coalescer = {
    add(path) {
      if (closed) return;
      const now = performance.now();
      if (paths.size === 0) since = now;
      // One more than the limit says "too many" and is enough.
      if (paths.size <= hintsMax) paths.add(path);
      clearTimeout(timer);
      timer = setTimeout(flush, Math.max(0, Math.min(quietMs, since + burstMs - now)));
    },
    addLater(path, afterMs) {
      if (later.size >= hintsMax) return;
      const pause = setTimeout(() => {
        later.delete(pause);
        coalescer.add(path);
      }, afterMs);
      later.add(pause);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      for (const pause of later) clearTimeout(pause);
    },
  };
  return coalescer;

  function flush(): void {
    const taken = paths;
    paths = new Set();
    const length = [...taken].reduce((sum, path) => sum + path.length, 0);
    onHint(taken.size > hintsMax || length > hintLengthMax || taken.has("") ? null : [...taken]);
  }
}
