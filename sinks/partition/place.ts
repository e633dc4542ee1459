import { mkdir, rm, rmdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { TerminalFailure } from "../../domain/failure.ts";
import { onFiles, systemCode } from "../files/refusal.ts";
import { replacedFolder, replacedName, stagingFolder } from "../files/target.ts";

/** A partitioned folder, and where results are that nobody is to see in it. */
export interface Place {
  readonly folder: string;
  /** Above it, because DuckDB's `**` goes into every folder, whatever its name; in the same file system, because a rename must reach. */
  readonly staging: string;
  readonly replaced: string;
}

export function placeOf(folder: string): Place {
  const own = `${basename(folder)}.partitioned`;
  return { folder, staging: join(dirname(folder), stagingFolder, own), replaced: join(dirname(folder), replacedFolder, own) };
}

export function stagedPath({ staging }: Place, name: string): string {
  return join(staging, name);
}

export function replacedPath({ replaced }: Place, name: string): string {
  return join(replaced, replacedName(name));
}

/** Makes the folder of a new staging, and returns the lowest folder above it that was there before. */
export function openStagedFolder(place: Place, name: string): Promise<{ readonly path: string; readonly oldFolder: string }> {
  const path = stagedPath(place, name);
  return onFiles(`${path} can't be created`, async () => {
    const top = await mkdir(place.folder, { recursive: true });
    for (let attempt = 1; ; attempt += 1) {
      try {
        const topmost = await mkdir(path, { recursive: true });
        if (topmost === undefined) throw new Error(`${path} is there already`);
        await requireOneFileSystem(place);
        const created = [topmost, ...(top === undefined ? [] : [top])].map((created_) => dirname(created_));
        return { path, oldFolder: created.toSorted((a, b) => a.length - b.length)[0]! };
      } catch (error) {
        // The end of another output may have removed the folders above it, because they were empty, between any two of the steps.
        if (systemCode(error) === "ENOENT" && attempt < 10) continue;
        await removeStagedFolder(place, name);
        throw error;
      }
    }
  });
}

async function requireOneFileSystem({ folder, staging }: Place): Promise<void> {
  if ((await stat(folder)).dev === (await stat(staging)).dev) return;
  throw new TerminalFailure({
    code: "SINK_REFUSED",
    message: `${folder} is a file system of its own, and results are staged in the folder above it`,
    hint: "Let the topic's URI name a folder below it, such as parquet:///data/lake/trades?partition=…",
  });
}

/** Removes a staged folder if it is there, and the folders above it that are left empty. */
export function removeStagedFolder(place: Place, name: string): Promise<void> {
  const path = stagedPath(place, name);
  return onFiles(`${path} can't be removed`, async () => {
    await rm(path, { recursive: true, force: true });
    await removeEmptyStaging(place);
  });
}

export async function removeEmptyStaging({ staging }: Place): Promise<void> {
  for (const folder of [staging, dirname(staging)]) {
    try {
      await rmdir(folder);
    } catch (error) {
      if (!["ENOTEMPTY", "EEXIST", "ENOENT", "EBUSY"].includes(systemCode(error) ?? "")) throw error;
    }
  }
}
