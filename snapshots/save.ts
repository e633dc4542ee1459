import { randomBytes } from "node:crypto";
import { access, constants, link, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { errorCode } from "../domain/system-error.ts";
import { readContent } from "./content.ts";

/**
 * Writes the content of a file to another one, which appears whole and synced, or not at all: `other` where the file doesn't have the bytes
 * of the hash, `unreadable` where it isn't there or can't be opened. Throws WrongUse where the target can't be written, or is there already
 * and `replace` is not set.
 */
export async function saveContent(request: {
  readonly from: string;
  readonly contentHash: string;
  readonly to: string;
  readonly replace: boolean;
  readonly mode?: number;
  readonly signal?: AbortSignal | undefined;
}): Promise<"saved" | "other" | "unreadable"> {
  const { from, to, replace, signal, mode = 0o666 } = request;
  try {
    await access(from, constants.R_OK);
  } catch {
    return "unreadable";
  }
  const written = join(dirname(to), `.${basename(to).slice(0, 100)}.${randomBytes(6).toString("hex")}`);
  try {
    await using file = await open(written, "wx", mode).catch((error: unknown) => Promise.reject(notWritable(to, error)));
    const { hash } = await readContent(from, signal, (piece) => file.writeFile(piece));
    if (hash !== request.contentHash) return "other";
    await file.sync();
    if (replace) await rename(written, to);
    else await link(written, to).catch((error: unknown) => Promise.reject(errorCode(error) === "EEXIST" ? inTheWay(to) : error));
    return "saved";
  } finally {
    await rm(written, { force: true });
  }
}

export function inTheWay(path: string): WrongUse {
  return new WrongUse(`${path} is there already`, "Choose another name, or overwrite it with --force");
}

export function notWritable(path: string, error: unknown): WrongUse {
  return new WrongUse(`${path} can't be written: ${messageOf(error)}`, "Choose another place, or make its folder first");
}
