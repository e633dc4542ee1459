import { mkdir, readdir } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { removeFolder } from "../bridge/scratch.ts";
import { errorCode } from "../domain/system-error.ts";

/**
 * A folder below `shared` that is this process's alone, empty at first, and stays for as long as the process lives. Those of processes
 * that were killed are removed.
 */
export async function ownFolder(shared: string): Promise<string> {
  for (const name of await readdir(shared).catch(() => [])) {
    const pid = Number(name.slice(name.lastIndexOf("-") + 1));
    // Other hosts and containers may have the folder, too; whether their processes run can't be seen from here.
    if (name === nameOf(pid) && !isRunning(pid)) await removeFolder(join(shared, name));
  }
  const own = join(shared, nameOf(process.pid));
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
    return errorCode(error) === "EPERM";
  }
}
