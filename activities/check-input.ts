import { hashFile } from "../scout/hash.ts";
import { readStat } from "../scout/stat.ts";
import { sameStat, type FileStat, type FileVersion } from "../domain/file-version.ts";

export type InputCheck = { readonly same: true; readonly stat: FileStat } | { readonly same: false; readonly reason: string };

/**
 * Whether the file at the version's path still has the version's bytes. An equal stat says so (no program can set ctime); a differing
 * one is settled by hashing, because a touched file is still the same.
 */
export async function checkInput(version: FileVersion, signal: AbortSignal): Promise<InputCheck> {
  const path = `${version.sourcePath}/${version.relPath}`;
  const stat = await readStat(path);
  if (stat === null) return { same: false, reason: `${version.relPath} is no longer there` };
  if (sameStat(stat, version.stat)) return { same: true, stat };
  const changed = `${version.relPath} is no longer what version ${version.sequence} recorded`;
  if (stat.sizeBytes !== version.stat.sizeBytes)
    return { same: false, reason: `${changed}: ${stat.sizeBytes} bytes, not ${version.stat.sizeBytes}` };
  const { hash, stat: hashed } = await hashFile(path, signal);
  return hash === version.contentHash ? { same: true, stat: hashed } : { same: false, reason: `${changed}: other content` };
}
