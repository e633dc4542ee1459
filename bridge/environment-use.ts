import { existsSync, utimesSync, writeFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * Who uses which environment on this host. Each has a file beside its folder: a process that uses the environment holds a shared lock
 * on it (SQLite's, so the operating system takes it back when the process ends in whatever way), and its time is that of the last use.
 */

/** The file that says that the folder holds a whole environment; written last. */
export const marker = "casparian-environment.json";
/** What it is called where the environment was found damaged: nobody takes it any more, and who uses it goes on. */
export const setAsideMarker = "casparian-environment.damaged.json";

/** The environment's use file. */
export function useFile(folder: string): string {
  return `${folder}.use`;
}

/** Keeps the environment of this interpreter from being removed until it is released. An interpreter of no environment needs nothing. */
export function useEnvironment(python: string): { release(): void } {
  const folder = dirname(dirname(python));
  if (![marker, setAsideMarker].some((name) => existsSync(join(folder, name)))) return { release() {} };
  const touch = (): void => touchFile(useFile(folder));
  touch();
  // Those who look whether it is used hold it for a moment, and so do those who remove it: then its interpreter is missed soon.
  const database = new DatabaseSync(useFile(folder), { timeout: lockMsMax });
  database.exec("begin");
  database.prepare("select count(*) from sqlite_master").get();
  return {
    release() {
      if (existsSync(useFile(folder))) touch();
      database.close();
    },
  };
}

const lockMsMax = 2_000;

function touchFile(file: string): void {
  const now = new Date();
  try {
    utimesSync(file, now, now);
  } catch {
    writeFileSync(file, "", { flag: "a" });
  }
}

/** Whether a process of this host uses the environment. */
export function isUsed(folder: string): boolean {
  if (!existsSync(useFile(folder))) return false;
  const database = new DatabaseSync(useFile(folder));
  try {
    database.exec("begin exclusive");
    return false;
  } catch {
    return true;
  } finally {
    database.close();
  }
}

/**
 * Removes an environment unless it is used; returns whether it did. It is taken out of its place by one rename, so that nobody finds half of it;
 * a crash leaves what `removedPrefix` names, which the next removal takes away.
 */
export async function removeEnvironment(folder: string): Promise<boolean> {
  const database = new DatabaseSync(useFile(folder));
  try {
    database.exec("begin exclusive");
  } catch {
    database.close();
    return false;
  }
  const aside = join(dirname(folder), `${removedPrefix}${process.pid}-${Date.now()}`);
  try {
    await rename(folder, aside);
    await rm(useFile(folder), { force: true });
  } finally {
    database.close();
  }
  await rm(aside, { recursive: true, force: true });
  return true;
}

export const removedPrefix = ".removed-";
