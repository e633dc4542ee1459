import { lstatSync, type BigIntStats } from "node:fs";
import { lstat } from "node:fs/promises";
import type { FileStat } from "../domain/file-version.ts";
import { isGone } from "../domain/system-error.ts";

/** What the file system says of the file itself, links not followed; null where nothing is there. Other failures are the system's own. */
export async function readStat(path: string): Promise<FileStat | null> {
  try {
    return toFileStat(await lstat(path, { bigint: true }));
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

export function toFileStat(stats: BigIntStats): FileStat {
  return {
    sizeBytes: Number(stats.size),
    mtimeNs: recordable(stats.mtimeNs),
    ctimeNs: recordable(stats.ctimeNs),
    inode: stats.ino,
  };
}

/** Some file systems keep times past the year 2262, where 64 bits of nanoseconds end; the record holds the nearest that fits. */
export function recordable(timeNs: bigint): bigint {
  if (timeNs > timeMaxNs) return timeMaxNs;
  return timeNs < -timeMaxNs ? -timeMaxNs : timeNs;
}

const timeMaxNs = 2n ** 63n - 1n;

/** Whether a folder is at the path, and no link to one. */
export function isFolder(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}
