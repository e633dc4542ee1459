import { mkdir, open, readdir, rm, rmdir, unlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { onFiles, systemCode, unlessAbsent, unlessGone } from "./refusal.ts";
import { ownerOfStaged, stagingFolder } from "./target.ts";

export interface StagingFile {
  readonly handle: FileHandle;
  readonly name: string;
  readonly path: string;
  /** The lowest folder above it that was there before. */
  readonly oldFolder: string;
}

/** Creates a staging file of a new name, and its folders. */
export function openStaging(folder: string, name: string): Promise<StagingFile> {
  return createStaging(folder, name, async (path, oldFolder) => ({ handle: await open(path, "wx+"), name, path, oldFolder }));
}

/** The same with whatever makes the file. */
export function createStaging<T>(folder: string, name: string, create: (path: string, oldFolder: string) => Promise<T>): Promise<T> {
  const path = join(folder, stagingFolder, name);
  return onFiles(`${path} can't be created`, async () => {
    let oldFolder = folder;
    for (let attempt = 1; ; attempt++) {
      try {
        const topmost = await mkdir(dirname(path), { recursive: true });
        if (topmost !== undefined && topmost.length <= folder.length) oldFolder = dirname(topmost);
        return await create(path, oldFolder);
      } catch (error) {
        // The end of another output may have removed the staging folder, because it was empty, between any two of the steps: mkdir, too,
        // finds it there and then gone.
        if (systemCode(error) === "ENOENT" && attempt < 10) continue;
        await removeEmptyStaging(folder);
        throw error;
      }
    }
  });
}

export function appendTo({ handle, path }: Pick<StagingFile, "handle" | "path">, bytes: Uint8Array): Promise<void> {
  return onFiles(`${path} can't be written`, async () => {
    for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
  });
}

/** Removes a staging file if it is there, and the staging folder unless something is in it. */
export function removeStaging(folder: string, name: string): Promise<void> {
  const path = join(folder, stagingFolder, name);
  return onFiles(`${path} can't be removed`, async () => {
    await removeWithCompanions(path);
    await removeEmptyStaging(folder);
  });
}

/** What a database may have beside its file while it is written. */
const companionSuffixes = [".wal", ".tmp"];

async function removeWithCompanions(path: string): Promise<void> {
  await unlink(path).catch(unlessGone);
  await Promise.all(companionSuffixes.map((suffix) => rm(`${path}${suffix}`, { recursive: true, force: true })));
}

/** Removes the staging folder unless something is in it. The output's folder stays, as a table would. */
export async function removeEmptyStaging(folder: string): Promise<void> {
  try {
    await rmdir(join(folder, stagingFolder));
  } catch (error) {
    // POSIX allows both of the first codes for a folder that is not empty.
    if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes(systemCode(error) ?? "")) throw error;
  }
}

/**
 * Removes what jobs that are no longer at work have left in a folder's staging, and returns the names. `isAlive` says whether
 * an attempt may still commit what it staged. Files of others stay. Only one record's jobs may write into a folder: what
 * `isAlive` does not know is removed.
 */
export function sweepStaging(folder: string, isAlive: (jobId: string, attempt: number) => Promise<boolean>): Promise<readonly string[]> {
  const staging = join(folder, stagingFolder);
  return onFiles(`${staging} can't be swept`, async () => {
    const removed: string[] = [];
    for (const name of (await readdir(staging).catch(unlessAbsent)) ?? []) {
      const owner = ownerOfStaged(name);
      if (owner === undefined || (await isAlive(owner.jobId, owner.attempt))) continue;
      await removeWithCompanions(join(staging, name));
      removed.push(name);
    }
    await removeEmptyStaging(folder);
    return removed;
  });
}

/** Makes the entries of a folder durable, and those of the folders above it up to `top`. */
export async function syncFolders(folder: string, top: string): Promise<void> {
  for (let at = folder; ; at = dirname(at)) {
    const handle = await open(at, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (at === top || at === dirname(at)) return;
  }
}
