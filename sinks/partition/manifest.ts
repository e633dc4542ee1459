import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../files/refusal.ts";

/** In the folder of a result, where readers of folders pass over it: what the result is, and of which files. */
export const manifestName = "_casparian_result.json";

/** The file of a result without rows, which only says how its schema looks in Parquet. */
export const emptyName = "_casparian_empty";

export interface Manifest {
  /** The name of the one staging. */
  readonly staged: string;
  /** What it stands for, whichever attempt wrote it. */
  readonly result: string;
  readonly files: readonly ResultFile[];
}

export interface ResultFile {
  /** Below the result's folder, with slashes. */
  readonly path: string;
  readonly rows: number;
  readonly sizeBytes: number;
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await using handle = await open(join(folder, manifestName), "wx");
  await handle.writeFile(`${JSON.stringify(manifest)}\n`);
  await handle.sync();
}

/** "nothing" where there is no such folder, "foreign" where it is none of ours. */
export async function readManifest(folder: string): Promise<Manifest | "nothing" | "foreign"> {
  const found = await tryManifest(folder);
  if (found !== "nothing") return found;
  if (!(await isThere(folder))) return "nothing";
  // It may have come in between the two looks.
  const again = await tryManifest(folder);
  return again === "nothing" ? "foreign" : again;
}

async function tryManifest(folder: string): Promise<Manifest | "nothing" | "foreign"> {
  try {
    const { staged, result, files } = JSON.parse(await readFile(join(folder, manifestName), "utf8")) as Partial<Manifest>;
    const isOurs = typeof staged === "string" && typeof result === "string" && Array.isArray(files);
    return isOurs ? { staged, result, files } : "foreign";
  } catch (error) {
    if (error instanceof SyntaxError || systemCode(error) === "ENOTDIR") return "foreign";
    if (systemCode(error) !== "ENOENT") throw error;
    return "nothing";
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}
