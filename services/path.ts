import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";

/** Every executable file of this name on the PATH, in its order. */
export function candidatesOf(name: string): readonly string[] {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return [...new Set(folders.map((folder) => resolve(folder, name)))].filter(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
