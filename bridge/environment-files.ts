import { lstatSync, readFileSync, realpathSync, type Stats } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { setImmediate } from "node:timers/promises";
import { createHash } from "node:crypto";
import { marker } from "./environment-use.ts";

/**
 * What an environment consists of, and whether it still does. A build ends with a list of its files with their sizes and times; looking them
 * up costs 5 ms for each thousand. The contents are compared with the hashes that the packages bring (RECORD) on request.
 */

/** The list, within the environment's folder. */
const listName = "casparian-files.tsv";
/** That many are looked up before others get a turn: some 2 ms. */
const filesAtOnce = 500;

interface ListedFile {
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
}

/** Writes the list of all files below the folder, and returns how many there are and their bytes. */
export async function listFiles(folder: string): Promise<{ readonly files: number; readonly bytes: number }> {
  const paths = await pathsBelow(folder);
  const lines = paths.map((path) => {
    const stat = lstatSync(path);
    return { line: `${stat.size}\t${mtimeOf(stat)}\t${relative(folder, path)}\n`, bytes: stat.size };
  });
  await writeFile(join(folder, listName), lines.map(({ line }) => line).join(""));
  return { files: lines.length, bytes: lines.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Files and links below a folder; what links lead to is not entered. */
export async function pathsBelow(folder: string): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) paths.push(...(await pathsBelow(path)));
    else paths.push(path);
  }
  return paths;
}

/**
 * What is wrong with an environment whose marker is there, by the sizes and times of its files; null where nothing is. One of an earlier version
 * of this program has no list, so only its interpreter is looked at.
 */
export async function findDamage(folder: string): Promise<string | null> {
  const python = interpreterTrouble(folder);
  if (python !== null) return python;
  let told: { readonly files?: number };
  try {
    told = JSON.parse(await readFile(join(folder, marker), "utf8")) as typeof told;
  } catch {
    return "it has no marker, so it is not whole";
  }
  if (told.files === undefined) return null;
  const list = await readFile(join(folder, listName), "utf8").catch(() => "");
  const files = list.split("\n").slice(0, -1).map(readLine);
  if (files.length !== told.files) return `the list of its files has ${files.length} of ${told.files}`;
  const wrong: string[] = [];
  for (const [index, file] of files.entries()) {
    if (index % filesAtOnce === filesAtOnce - 1) await setImmediate();
    const trouble = troubleWith(join(folder, file.path), file);
    if (trouble !== null) wrong.push(`${file.path} ${trouble}`);
  }
  return summarize(wrong);
}

/** The same by contents: every file of a package has the hash that the package's RECORD says. Reads everything. */
export async function findAlteredContent(folder: string): Promise<string | null> {
  const records = (await pathsBelow(join(folder, "lib"))).filter((path) => path.endsWith(".dist-info/RECORD"));
  const wrong: string[] = [];
  for (const record of records) {
    const root = join(record, "..", "..");
    for (const { path, hash } of readRecord(await readFile(record, "utf8"))) {
      const actual = await readFile(join(root, path)).then(
        (content) => createHash("sha256").update(content).digest("base64url"),
        () => "",
      );
      if (actual !== hash) wrong.push(`${relative(folder, join(root, path))} ${actual === "" ? "is missing" : "has another content"}`);
    }
  }
  return summarize(wrong);
}

/** The interpreter that it was made from may have been removed or replaced by another. */
function interpreterTrouble(folder: string): string | null {
  try {
    realpathSync(join(folder, "bin", "python"));
    readFileSync(join(folder, "pyvenv.cfg"));
    return null;
  } catch {
    return "its interpreter is gone";
  }
}

function readLine(line: string): ListedFile {
  const [bytes, mtimeMs, ...path] = line.split("\t");
  return { bytes: Number(bytes), mtimeMs: Number(mtimeMs), path: path.join("\t") };
}

function troubleWith(path: string, { bytes, mtimeMs }: ListedFile): string | null {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return "is missing";
  if (stat.size !== bytes) return `has ${stat.size} bytes and not ${bytes}`;
  // What copies files keeps milliseconds at best.
  return Math.abs(mtimeOf(stat) - mtimeMs) <= 1 ? null : "was changed";
}

function mtimeOf({ mtimeMs }: Stats): number {
  return Math.floor(mtimeMs);
}

/** Lines `path,sha256=…,bytes` (a CSV file); the RECORD itself and compiled files have no hash. */
function readRecord(text: string): readonly { readonly path: string; readonly hash: string }[] {
  return [...text.matchAll(/^(?:"((?:[^"]|"")*)"|([^",\r\n]*)),sha256=([A-Za-z0-9_-]+)=*,\d*\r?$/gm)].map(([, quoted, plain, hash]) => ({
    path: quoted === undefined ? plain! : quoted.replaceAll('""', '"'),
    hash: hash!,
  }));
}

function summarize(wrong: readonly string[]): string | null {
  if (wrong.length === 0) return null;
  const more = wrong.length - 1;
  return `${wrong[0]}${more === 0 ? "" : `, and ${more} more like this`}`;
}
