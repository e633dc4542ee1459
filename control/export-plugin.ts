import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isOwnPath } from "../bridge/plugin-folder.ts";
import { WrongUse } from "../domain/failure.ts";
import type { PluginDetail } from "./list-plugins.ts";

/** The files of a published version, by path: one for a single file, which is called by the plugin's name. */
export function filesOf({ plugin, sourceCode, folder }: PluginDetail): ReadonlyMap<string, string> {
  if (folder === null) return new Map([[`${plugin.name}.py`, sourceCode]]);
  return new Map(Object.entries({ ...folder.files, [folder.entry]: sourceCode }).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Writes them below a folder, and returns their paths. Throws WrongUse where one is there already; what was written until then stays. */
export async function exportPlugin(detail: PluginDetail, to: string): Promise<readonly string[]> {
  const written: string[] = [];
  const astray = [...filesOf(detail).keys()].find((path) => !isOwnPath(path));
  if (astray !== undefined)
    throw new WrongUse(`the record names a file outside of the plugin's folder: ${astray}`, "Find out who wrote it there");
  for (const [path, text] of filesOf(detail)) {
    const file = join(to, path);
    await mkdir(dirname(file), { recursive: true });
    try {
      await writeFile(file, text, { flag: "wx" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      throw new WrongUse(`${file} is there already`, "Give a folder that is empty; nothing is overwritten");
    }
    written.push(file);
  }
  return written;
}
