import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** The folder in which this process's plugins have their scratch; those of workers that were killed are removed. */
export async function scratchFolder(stateDir: string): Promise<string> {
  const folder = join(stateDir, "scratch");
  for (const name of await readdir(folder).catch(() => [])) {
    if (!isRunning(Number(name))) await rm(join(folder, name), { recursive: true, force: true });
  }
  return join(folder, String(process.pid));
}

/** A number that another process has got since keeps a folder a while longer, which does no harm. */
function isRunning(pid: number): boolean {
  try {
    return pid !== process.pid && process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
