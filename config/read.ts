import { readFileSync } from "node:fs";
import { messageOf, WrongUse } from "../domain/failure.ts";

/** The text of a file; undefined when there is none. Throws WrongUse when it is there and can't be read. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new WrongUse(`${file} can't be read: ${messageOf(error)}`);
  }
}
