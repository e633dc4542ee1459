import { copyFile, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Settings } from "../config/settings.ts";
import { isHomeHeld } from "../services/home-lock.ts";

const dataFolder = new URL("data/", import.meta.url).pathname;

/**
 * Makes the demo's folder as new, so that each run shows the same: sample files in `inbox/` (whose path it returns), no results, no
 * record. Tools and Python environments of an earlier run are kept. A folder in which a system runs is left as it is; starting says so.
 */
export async function prepareFolder({ home, stateDir }: Settings): Promise<string> {
  const inbox = join(home, "inbox");
  await mkdir(stateDir, { recursive: true });
  if (isHomeHeld(stateDir)) return inbox;
  const kept = new Set(["tools", "environments", "cache", "lock.db", "lock.json"]);
  const stale = (await readdir(stateDir)).filter((name) => !kept.has(name)).map((name) => join(stateDir, name));
  for (const path of [...stale, inbox, join(home, "before"), join(home, "output")]) await rm(path, { recursive: true, force: true });
  await mkdir(inbox);
  for (const name of await readdir(dataFolder)) {
    if (name.endsWith(".csv")) await copyFile(join(dataFolder, name), join(inbox, name));
  }
  return inbox;
}
