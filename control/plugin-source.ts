import { readFile } from "node:fs/promises";
import { messageOf, WrongUse } from "../domain/failure.ts";

/** Postgres keeps up to 1 GB in a value; a plugin beyond this is surely something else. Bytes. */
const sourceBytesMax = 4 * 1024 * 1024;

/** The text of a plugin's file. Throws WrongUse for one that can't be a plugin. */
export async function readSource(file: string): Promise<string> {
  let content: Buffer;
  try {
    content = await readFile(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") throw new WrongUse(`there is no file ${file}`, "Give the path of the plugin's Python file");
    if (code === "EISDIR") throw new WrongUse(`${file} is a folder`, "Give the path of the plugin's Python file");
    throw new WrongUse(`${file} can't be read: ${messageOf(error)}`);
  }
  if (content.length > sourceBytesMax)
    throw new WrongUse(`${file} has ${content.length} bytes, and a plugin has ${sourceBytesMax} at most`);
  const text = decode(content, file);
  if (text.includes("\0")) throw new WrongUse(`${file} holds a NUL character, which Python and the record refuse`);
  return text;
}

function decode(content: Buffer, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new WrongUse(`${file} is not UTF-8 text`, "Save it as UTF-8");
  }
}
