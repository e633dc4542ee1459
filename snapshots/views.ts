import { mkdir, readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { SnapshotStore } from "./store.ts";

/**
 * The folder in which this process shows copies to plugins, under the names of their files; within the store, so that they can be hard
 * links. It stays for as long as the process lives. Those of processes that were killed are removed.
 */
export async function openViews({ folder }: SnapshotStore): Promise<string> {
  const all = join(folder, "views");
  const own = join(all, nameOf(process.pid));
  for (const name of await readdir(all).catch(() => [])) {
    const pid = Number(name.slice(name.lastIndexOf("-") + 1));
    // Other hosts may have the store, too; whether their processes run can't be seen from here.
    if (name === nameOf(pid) && !isRunning(pid)) await rm(join(all, name), { recursive: true, force: true });
  }
  await mkdir(own, { recursive: true, mode: 0o700 });
  return own;
}

function nameOf(pid: number): string {
  return `${hostname()}-${pid}`;
}

/** A number that another process has got since keeps a folder a while longer, which does no harm. */
function isRunning(pid: number): boolean {
  try {
    return pid !== process.pid && process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
