import { existsSync } from "node:fs";
import { rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TerminalFailure, TransientFailure } from "../domain/failure.ts";
import { takeBuildLock } from "./build-lock.ts";
import { findDamage } from "./environment-files.ts";
import { marker, removeEnvironment, setAsideMarker } from "./environment-use.ts";

/** A whole environment is looked at again after this long. Milliseconds. */
const freshMs = 60_000;
/** When each folder was last found whole by this process. */
const foundWhole = new Map<string, number>();

/** What is wrong with the environment of this folder, or null; looked up at most once a minute. */
export async function findDamageSometimes(folder: string): Promise<string | null> {
  const at = foundWhole.get(folder);
  return at !== undefined && Date.now() - at < freshMs ? null : findDamageNow(folder);
}

/** The same, looked up now. */
export async function findDamageNow(folder: string): Promise<string | null> {
  foundWhole.delete(folder);
  const damage = await findDamage(folder);
  if (damage === null) foundWhole.set(folder, Date.now());
  return damage;
}

/** Lets nobody take the environment any more; who has it goes on. */
export async function setAside(folder: string): Promise<void> {
  foundWhole.delete(folder);
  await rename(join(folder, marker), join(folder, setAsideMarker));
}

/** Sets it aside, and removes it unless somebody uses it; returns whether it did. Waits for a build. */
export async function retireEnvironment(root: string, folder: string, signal: AbortSignal): Promise<boolean> {
  const lock = await takeBuildLock(join(root, "build.lock"), signal);
  try {
    await setAside(folder);
    return await removeEnvironment(folder);
  } finally {
    lock.release();
  }
}

/**
 * What to throw for a failure of a plugin that ran in this interpreter's environment: the failure itself, or where the environment is damaged, TransientFailure
 * ENVIRONMENT_DAMAGED, so that the job is tried again in one that is built anew.
 */
export async function blameEnvironment(python: string, error: unknown): Promise<unknown> {
  const isPlugins = (error instanceof TerminalFailure || error instanceof TransientFailure) && error.code.startsWith("PLUGIN_");
  const folder = dirname(dirname(python));
  if (!isPlugins || !isEnvironment(folder)) return error;
  const damage = await findDamageNow(folder);
  if (damage === null) return error;
  return new TransientFailure({
    code: "ENVIRONMENT_DAMAGED",
    message: `the plugin's Python environment ${folder} was damaged: ${damage}; it is built again`,
    hint: "Nothing is to be done, unless it happens again: then find out what changes files there",
    cause: error,
  });
}

/** One that was set aside or removed meanwhile is none that works. */
function isEnvironment(folder: string): boolean {
  return existsSync(join(folder, marker)) || existsSync(join(folder, setAsideMarker)) || !existsSync(folder);
}
