import { access, chmod, copyFile, constants, link, mkdir, mkdtemp } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { removeFolder } from "../bridge/scratch.ts";
import { TransientFailure } from "../domain/failure.ts";
import { sameStat, type FileStat, type FileVersion } from "../domain/file-version.ts";
import { errorCode } from "../domain/system-error.ts";
import { readStat } from "../scout/stat.ts";
import { corruptCopy, readContent } from "../snapshots/content.ts";
import { snapshotPath, type SnapshotStore } from "../snapshots/store.ts";
import type { JobInput } from "./input.ts";

export interface SnapshotInputs {
  readonly store: SnapshotStore;
  /** Where copies are shown to plugins; there for as long as this process lives. */
  readonly views: string;
}

/**
 * The copy of a version's content, by its hash known to be intact, under the file's own name and folders; null where this store has none
 * that can be read. It is a hard link to the copy, which nothing may write to, or a copy of it where there can be no links.
 * Throws TerminalFailure SNAPSHOT_CORRUPT.
 */
export async function openSnapshot(version: FileVersion, { store, views }: SnapshotInputs, signal: AbortSignal): Promise<JobInput | null> {
  const copy = snapshotPath(store.folder, version.contentHash);
  if ((await readStat(copy)) === null) return null;
  const folder = await mkdtemp(join(views, "v-"));
  try {
    const path = await show(copy, folder, version);
    if (path === null) {
      await removeFolder(folder);
      return null;
    }
    const before = (await readStat(path))!;
    if (!(await isIntact(path, version, signal))) throw corruptCopy(store.folder, version.contentHash);
    return {
      path,
      root: views,
      async verify(verifySignal) {
        await requireUnchanged(store, version, { path, before }, verifySignal);
        return { same: true };
      },
      async [Symbol.asyncDispose]() {
        // A plugin that has changed the mode of its input has changed that of the copy.
        await chmod(path, 0o400).catch(() => {});
        await removeFolder(folder);
      },
    };
  } catch (error) {
    await removeFolder(folder);
    throw error;
  }
}

/** Null where the copy has gone, or may not be read by this user. */
async function show(copy: string, folder: string, version: FileVersion): Promise<string | null> {
  // Plugins may read dates and names from the path, so it ends as the file's own does.
  const whole = join(folder, basename(version.sourcePath) || "root", version.relPath);
  try {
    await place(copy, whole);
    return whole;
  } catch (error) {
    if (errorCode(error) === "ENAMETOOLONG") {
      const short = join(folder, basename(version.relPath));
      await place(copy, short);
      return short;
    }
    if (unavailable.has(errorCode(error))) return null;
    throw error;
  }
}

const unavailable: ReadonlySet<string> = new Set(["ENOENT", "EACCES", "EPERM"]);

async function place(copy: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await link(copy, path);
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENAMETOOLONG") throw error;
    await copyFile(copy, path, constants.COPYFILE_FICLONE);
  }
  await access(path, constants.R_OK);
}

async function isIntact(path: string, version: FileVersion, signal: AbortSignal): Promise<boolean> {
  return (await readContent(path, signal)).hash === version.contentHash;
}

/** Another job's link to the same copy changes its ctime, so a differing one is settled by reading the copy again. */
async function requireUnchanged(
  store: SnapshotStore,
  version: FileVersion,
  { path, before }: { readonly path: string; readonly before: FileStat },
  signal: AbortSignal,
): Promise<void> {
  const after = await readStat(path);
  if (after !== null && sameStat(before, after)) return;
  if (after === null || !(await isIntact(path, version, signal))) throw corruptCopy(store.folder, version.contentHash);
  if (after.mtimeNs === before.mtimeNs) return;
  throw new TransientFailure({
    code: "INPUT_TOUCHED",
    message: `the copy of ${version.relPath} was touched while it was read; its content is the same now, so it is read again`,
  });
}
