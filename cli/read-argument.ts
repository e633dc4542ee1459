import { readFile } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import { text } from "node:stream/consumers";
import { messageOf, WrongUse } from "../domain/failure.ts";

/** An argument as it is, or for `@FILE` the file's text, and for `@-` what comes on stdin. Throws WrongUse where the file can't be read. */
export async function readArgument(argument: string, signal: AbortSignal): Promise<string> {
  if (!argument.startsWith("@")) return argument;
  const file = argument.slice(1);
  try {
    return file === "-" ? await text(addAbortSignal(signal, process.stdin)) : await readFile(file, "utf8");
  } catch (error) {
    signal.throwIfAborted();
    throw new WrongUse(`${file} can't be read: ${messageOf(error)}`, "Give the text itself, or @ and the path of a file");
  }
}
