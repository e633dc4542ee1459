import { open, type FileHandle } from "node:fs/promises";
import { systemCode } from "./refusal.ts";

/** Runs `read` on a file that is there, and says "nothing" where none is. */
export async function readExisting<T>(path: string, read: (file: FileHandle) => Promise<T>): Promise<T | "nothing"> {
  let file;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "nothing";
    throw error;
  }
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}
