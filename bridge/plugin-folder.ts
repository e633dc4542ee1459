import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import type { PluginFolder } from "../domain/plugin.ts";

/** How Python finds what is in a plugin's folder. */
export interface FolderImport {
  /** What is put on the path, relative to the folder: `src`, or nothing. */
  readonly root: string;
  /** The module with the Handler: `trades.plugin`. */
  readonly module: string;
  /** Modules and packages that the folder has, by their first name; never looked for elsewhere. */
  readonly ownNames: readonly string[];
}

export function folderImport({ entry, files }: PluginFolder): FolderImport {
  const root = entry.startsWith("src/") ? "src" : "";
  const within = (path: string): string => (root === "" ? path : posix.relative(root, path));
  const module = within(entry)
    .replace(/(\/__init__)?\.py$/, "")
    .replaceAll("/", ".");
  const own = [entry, ...Object.keys(files)]
    .filter((path) => path.endsWith(".py") && (root === "" || path.startsWith(`${root}/`)))
    .map((path) => within(path).split("/")[0]!.replace(/\.py$/, ""));
  return { root, module, ownNames: [...new Set(own)].toSorted() };
}

/** Whether it names a file below the folder, whoever wrote it into the record. */
export function isOwnPath(path: string): boolean {
  return !/[\\\0]/.test(path) && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** Writes all files of the plugin below a folder, which a plugin's process may read. */
export async function unpackFolder(to: string, sourceCode: string, { entry, files }: PluginFolder): Promise<void> {
  for (const [path, text] of Object.entries({ ...files, [entry]: sourceCode })) {
    await mkdir(dirname(join(to, path)), { recursive: true });
    await writeFile(join(to, path), text, { flag: "wx" });
  }
}
