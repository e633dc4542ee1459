import { readdirSync, watch } from "node:fs";
import { join, relative } from "node:path";
import type Library from "@parcel/watcher";
import { messageOf } from "../../domain/failure.ts";
import { selection, type Selection } from "../../domain/selection.ts";
import { errorCode } from "../../domain/system-error.ts";
import { isFolder } from "../stat.ts";
import type { NativeOrder } from "./native-message.ts";
import type { Outbox } from "./native-outbox.ts";

type Watcher = Pick<typeof Library, "subscribe">;

/** Beyond so many folders of the tree, opening it anew is cheaper than watching each by itself. */
const branchesMax = 1_000;
/** The library compares each path with each of these; what is excluded beyond is watched and not told. */
const ignoredMax = 50;

/**
 * Follows a tree with `@parcel/watcher` and makes up for what its inotify part leaves out: of a new folder it watches the first level only
 * (its issue 97), below a renamed one it goes on with the old names, and it says nothing when a new folder can't be watched.
 */
export async function watchNatively(library: Watcher, { root, globs }: NativeOrder, outbox: Outbox): Promise<void> {
  const { takesFile, entersFolder } = selection(globs);
  const isInside = rememberInside(entersFolder);
  /** Folders that came later and are watched by themselves, by their paths below the root. */
  const branches = new Map<string, Promise<Library.AsyncSubscription>>();
  const options: Library.Options = {
    ignore: excludedFolders(root, globs.exclude.length > 0, entersFolder),
    // Elsewhere there is one kind; here the library would look for a Watchman service first.
    ...(process.platform === "linux" ? { backend: "inotify" } : {}),
  };

  outbox.tell({ kind: "calling" });
  const opening = library.subscribe(root, take, options);
  outbox.tell({ kind: "called" });
  await opening;
  outbox.tell({ kind: "ready" });

  function take(error: Error | null, events: readonly Library.Event[]): void {
    // Its thread has ended, as it does when a signal interrupts it.
    if (error !== null) outbox.tell({ kind: "ended", code: "", message: messageOf(error) });
    for (const { path: absolute, type } of events) {
      const path = relative(root, absolute);
      if (path === "") tellRoot(type);
      else if (!isInside(path)) continue;
      // Whatever the event's type: a folder that is made again at once is told as an update, or as deleted by what watched the former one.
      else if (isFolder(absolute)) grow(path, absolute);
      else if (type === "delete") shrink(path);
      else if (takesFile(path)) outbox.changed(path);
    }
  }

  function tellRoot(type: Library.EventType): void {
    // The others are about its own times and permissions.
    if (type === "delete") outbox.changed("");
  }

  function grow(path: string, absolute: string): void {
    if (!entersFolder(path)) return;
    outbox.appeared(path);
    const refusal = process.platform === "linux" ? refusalToWatch(absolute) : null;
    if (refusal !== null) outbox.tell({ kind: "ended", code: errorCode(refusal), message: messageOf(refusal) });
    // Folders that come into it from now on are told like this one.
    else if (holdsFolders(absolute)) branchOff(path, absolute);
  }

  function branchOff(path: string, absolute: string): void {
    const before = branches.get(path);
    if (before === undefined && branches.size >= branchesMax) {
      outbox.tell({ kind: "lost", reason: "many folders were added" });
      return;
    }
    // The library shares what it knows of a folder between subscriptions, so the old one must have ended.
    const branch = unsubscribe(before).then(() => library.subscribe(absolute, take, options));
    branches.set(path, branch);
    branch.then(
      () => outbox.appeared(path),
      (error: unknown) => {
        branches.delete(path);
        if (isFolder(absolute)) outbox.tell({ kind: "lost", reason: messageOf(error) });
      },
    );
  }

  function shrink(path: string): void {
    // Nobody knows any more whether it was a folder, whose files have gone with it; some files that aren't taken are told in vain.
    if (entersFolder(path)) outbox.changed(path);
    const branch = branches.get(path);
    branches.delete(path);
    void unsubscribe(branch);
  }
}

async function unsubscribe(subscription: Promise<Library.AsyncSubscription> | undefined): Promise<void> {
  // It also fails for folders that are gone.
  await subscription?.then((subscribed) => subscribed.unsubscribe()).catch(() => {});
}

/** Why the kernel would watch no further folder; null where it would, or where the folder itself is the reason. */
function refusalToWatch(folder: string): unknown {
  try {
    watch(folder, { persistent: false }).close();
    return null;
  } catch (error) {
    return errorCode(error) === "ENOSPC" ? error : null;
  }
}

/** Whether all folders above a path are entered. */
function rememberInside(entersFolder: Selection["entersFolder"]): (path: string) => boolean {
  const known = new Map<string, boolean>();
  return (path) => isEntered(path.slice(0, Math.max(0, path.lastIndexOf("/"))));

  function isEntered(folder: string): boolean {
    if (folder === "") return true;
    const before = known.get(folder);
    if (before !== undefined) return before;
    const is = entersFolder(folder) && isEntered(folder.slice(0, Math.max(0, folder.lastIndexOf("/"))));
    if (known.size >= 10_000) known.clear();
    known.set(folder, is);
    return is;
  }
}

function excludedFolders(root: string, hasGlobs: boolean, entersFolder: Selection["entersFolder"]): string[] {
  const found: string[] = [];
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined && found.length < ignoredMax; folder = folders.pop()) {
    for (const path of foldersIn(root, folder)) {
      if (!entersFolder(path)) found.push(join(root, path));
      else if (hasGlobs) folders.push(path);
    }
  }
  return found.slice(0, ignoredMax);
}

function foldersIn(root: string, folder: string): readonly string[] {
  try {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => (folder === "" ? name : `${folder}/${name}`));
  } catch {
    return [];
  }
}

function holdsFolders(folder: string): boolean {
  return foldersIn(folder, "").length > 0;
}
