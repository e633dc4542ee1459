import { glob, readdir, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { isGone } from "../domain/system-error.ts";

/** A file that a plugin is tried on. */
export interface TrialInput {
  readonly path: string;
  /** The folder that was named, or the file's own: what the process that loads the plugin's libraries may read. */
  readonly root: string;
}

export interface TrialInputs {
  /** In the order in which they were named, those of a folder or glob by name; each once, `limit` at most. */
  readonly inputs: readonly TrialInput[];
  /** How many there would be without the limit. */
  readonly found: number;
  /** Files of folders that the plugin's patterns don't take. */
  readonly notTaken: number;
}

/**
 * The files that paths, folders and globs stand for. Of a folder, with all below it and without what begins with a dot, those that
 * `takes` takes; a file or a glob means what it says. Throws WrongUse where one of them stands for nothing.
 */
export async function findInputs(
  on: readonly string[],
  options: { readonly cwd: string; readonly takes: (relPath: string) => boolean; readonly limit: number },
): Promise<TrialInputs> {
  const found = new Map<string, TrialInput>();
  let notTaken = 0;
  for (const asked of on) {
    const path = resolve(options.cwd, asked);
    const kind = await kindOf(path);
    if (kind === "file") {
      found.set(path, { path, root: dirname(path) });
      continue;
    }
    const all = kind === "folder" ? await filesBelow(path) : await filesOfGlob(asked, options.cwd);
    const taken = kind === "folder" ? all.filter(({ path: file }) => options.takes(relative(path, file).split(sep).join("/"))) : all;
    notTaken += all.length - taken.length;
    if (taken.length === 0) throw nothingFound(asked, kind, all.length);
    for (const input of taken) if (!found.has(input.path)) found.set(input.path, input);
  }
  return { inputs: [...found.values()].slice(0, options.limit), found: found.size, notTaken };
}

async function kindOf(path: string): Promise<"file" | "folder" | "absent"> {
  try {
    const { isDirectory } = await stat(path).then((stats) => ({ isDirectory: stats.isDirectory() }));
    return isDirectory ? "folder" : "file";
  } catch (error) {
    if (isGone(error)) return "absent";
    throw new WrongUse(`${path} can't be read: ${messageOf(error)}`);
  }
}

async function filesBelow(root: string): Promise<readonly TrialInput[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const hidden = new RegExp(`(^|\\${sep})\\.`);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !hidden.test(relative(root, path)))
    .toSorted()
    .map((path) => ({ path, root }));
}

async function filesOfGlob(pattern: string, cwd: string): Promise<readonly TrialInput[]> {
  const root = resolve(cwd, staticBase(pattern));
  const entries = await Array.fromAsync(glob(pattern, { cwd, withFileTypes: true }));
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((path) => ({ path, root }));
}

/** The folders of a glob before the first one that is no plain name. */
function staticBase(pattern: string): string {
  const parts = pattern.split("/");
  const first = parts.findIndex((part) => /[*?[\]{}!()]/.test(part));
  const base = parts.slice(0, first === -1 ? parts.length - 1 : first).join("/");
  return base === "" && pattern.startsWith("/") ? "/" : base;
}

function nothingFound(asked: string, kind: "folder" | "absent" | "file", files: number): WrongUse {
  if (kind === "folder" && files > 0)
    return new WrongUse(
      `the plugin's patterns take none of the files below ${asked} (${files})`,
      "Change the pattern in its MANIFEST, or name files or a glob, which are taken whatever the pattern says",
    );
  if (kind === "folder") return new WrongUse(`there is no file below ${asked}`);
  if (/[*?[{]/.test(asked)) return new WrongUse(`no file matches ${asked}`, "Put a glob between quotes; ** goes through folders");
  return new WrongUse(`there is no file ${asked}`, "Give the path of a file or folder, or a glob between quotes");
}
