import { chmod, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Removes a plugin's folder with all that is in it, also folders that the plugin has closed to everybody, and folders so deep that the
 * kernel takes no path to them. No process of the plugin is left, so nothing changes meanwhile.
 */
export async function removeFolder(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    await flatten(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Takes the folders in it up into the folder itself one by one, and removes what else was in them. */
async function flatten(path: string): Promise<void> {
  await chmod(path, 0o700);
  const folders = await foldersIn(path);
  let moved = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    await chmod(folder, 0o700);
    for (const inner of await foldersIn(folder)) {
      const above = join(path, `.moved-${process.pid}-${(moved += 1)}`);
      // To be moved it must be writable, as its `..` changes.
      await chmod(inner, 0o700);
      await rename(inner, above);
      folders.push(above);
    }
    await rm(folder, { recursive: true, force: true });
  }
}

async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
}
