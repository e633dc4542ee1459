import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { identityOf, type KeptResult, type Located } from "../files/locate.ts";
import { unlessAbsent } from "../files/refusal.ts";
import { parquetAddress } from "./address.ts";
import { emptyName, manifestName, readManifest } from "./manifest.ts";
import { placeOf, replacedPath, type Place } from "./place.ts";
import { inLanes } from "./lanes.ts";

/**
 * The files of a committed result that is a folder of files: under its target's name, or where replaced ones are; between a swap and that it
 * is in the staging folder, under the name of the one that took its place.
 */
export async function locateFolder(folder: string, { uri, sizeBytes, staged, target }: KeptResult): Promise<Located> {
  const name = String(staged["name"]);
  const place = placeOf(folder);
  const visible = join(folder, basename(target));
  const kept = replacedPath(place, name);
  let lookedAt: string | undefined;
  for (const path of [visible, kept, ...(await swappedOut(place))]) {
    const identity = await markOf(path);
    const manifest = await readManifest(path);
    if (manifest === "nothing") continue;
    lookedAt ??= path;
    if (manifest === "foreign" || manifest.staged !== name) continue;
    const sizes = await inLanes(manifest.files, (file) => sizeOf(join(path, file.path)));
    if (sizes.reduce((sum, size) => sum + size, 0) !== sizeBytes) continue;
    return {
      path: join(path, manifestName),
      files: manifest.files.map((file) => join(path, file.path)),
      partition: parquetAddress(uri).partition,
      isEmpty: manifest.files.every((file) => file.path === emptyName),
      identity: path === kept ? null : (identity ?? null),
    };
  }
  return lookedAt === undefined ? { path: null, lookedAt: visible, found: "nothing" } : { path: null, lookedAt, found: "another file" };
}

async function swappedOut({ staging }: Place): Promise<readonly string[]> {
  const names = await readdir(staging).catch((error: unknown) => unlessAbsent(error) ?? []);
  return names.map((name) => join(staging, name));
}

async function markOf(path: string): Promise<string | undefined> {
  const found = await stat(join(path, manifestName), { bigint: true }).catch(unlessAbsent);
  return found && identityOf(found);
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(unlessAbsent))?.size ?? 0;
}
