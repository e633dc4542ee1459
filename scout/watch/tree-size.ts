import { opendir } from "node:fs/promises";
import { join } from "node:path";

/** Whether a folder has more files and folders in it than this; looks at no more of them. What can't be read counts as empty. */
export async function isLargerThan(entriesMax: number, root: string, entersFolder: (relPath: string) => boolean): Promise<boolean> {
  let left = entriesMax;
  return countIn("");

  async function countIn(folder: string): Promise<boolean> {
    const below: string[] = [];
    try {
      for await (const entry of await opendir(join(root, folder), { bufferSize: 1_000 })) {
        left -= 1;
        if (left < 0) return true;
        const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory() && entersFolder(path)) below.push(path);
      }
    } catch {
      return false;
    }
    // One after the other, so that no more is read than needed.
    for (const path of below) if (await countIn(path)) return true;
    return false;
  }
}
