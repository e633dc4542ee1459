import { realpathSync } from "node:fs";
import { resolve } from "node:path";

/** The path without links, as far as it is there: what is not made yet nothing can link to. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
