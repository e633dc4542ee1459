import { basename, relative } from "node:path";
import { watch } from "chokidar";
import { errorCode } from "../../domain/system-error.ts";
import { isFolder } from "../stat.ts";
import type { OpenWatch, WatchEvents, WatchTarget } from "./adapter.ts";
import { isScarcity } from "./scarcity.ts";

/** For so long after a folder has gone, chokidar may overlook that it is there again: it reads each folder once a second at most. Milliseconds. */
const overlooksMs = 5_000;
const goneMax = 1_000;

/**
 * Watches with chokidar, in this process: cheap for small trees; at the opening each file costs 0.07 ms and 5 kB.
 *
 * chokidar is left to follow the folders; it is not given the files, which would cost one kernel watch and a kilobyte each. Events of
 * files come as their folder's raw ones, which also aren't thinned out: chokidar drops a change within 50 ms of another. That a folder was
 * removed and made again within a moment it doesn't notice either: it goes on with the old one.
 */
export function watchWithChokidar({ root, selection }: WatchTarget, events: WatchEvents): OpenWatch {
  const { takesFile, entersFolder } = selection;
  const folders = new Set<string>();
  const goneAt = new Map<string, number>();
  const watcher = watch(root, {
    ignoreInitial: false,
    persistent: true,
    followSymlinks: false,
    atomic: false,
    ignorePermissionErrors: true,
    ignored: (path, stats) => (path !== root && !entersFolder(relative(root, path))) || stats?.isDirectory() === false,
  });
  let isReady = false;
  watcher.on("raw", (event, name, details) => {
    const { watchedPath } = details as { readonly watchedPath: string };
    // Without a name it is about the folder itself.
    const path = relative(root, name ? `${watchedPath}/${name}` : watchedPath);
    if (path === "" || takesFile(path)) events.changed(path);
    if (event !== "rename") return;
    // What happens to the root itself comes with its name.
    if (watchedPath === root && name === basename(root) && !isFolder(`${root}/${name}`)) events.changed("");
    else if ((folders.has(path) || hasJustGone(path)) && isFolder(`${root}/${path}`)) events.lost(`${path} is another folder now`);
  });
  watcher.on("addDir", (absolute) => {
    const path = relative(root, absolute);
    folders.add(path);
    if (isReady) events.appeared(path);
  });
  watcher.on("unlinkDir", (absolute) => {
    const path = relative(root, absolute);
    folders.delete(path);
    if (goneAt.size >= goneMax) goneAt.clear();
    goneAt.set(path, Date.now());
    events.changed(path);
  });
  watcher.on("ready", () => {
    isReady = true;
    events.ready();
  });
  watcher.on("error", (error) => {
    if (isScarcity(errorCode(error))) events.ended(error);
    else events.skipped(error);
  });
  return {
    async close() {
      const closed = watcher.close();
      // It takes all listeners away and may still emit errors, which nobody heard and so would end the process.
      watcher.on("error", () => {});
      await closed;
    },
  };

  function hasJustGone(path: string): boolean {
    const since = goneAt.get(path);
    return since !== undefined && Date.now() - since < overlooksMs;
  }
}
