import { resolve } from "node:path";
import { findLocations, pathsLike, type LocationRow } from "../db/history.ts";
import type { Queryable } from "../db/pool.ts";
import { WrongUse } from "../domain/failure.ts";
import { findSource } from "./find-source.ts";

export interface FileRequest {
  /** Below its source's root, or a path of the file system. */
  readonly path: string;
  /** Needed where several sources have such a path. */
  readonly source?: string | undefined;
}

/** The one file on record that a person means. Throws WrongUse that names what comes near, or the sources to choose from. */
export async function findFile(db: Queryable, { path, source }: FileRequest): Promise<LocationRow> {
  if (source !== undefined) await findSource(db, source);
  const found = await findLocations(db, { path: path.replace(/^\.\//, ""), absolutePath: resolve(path), source });
  const [first, ...others] = found;
  if (first === undefined) throw await unknownFile(db, path);
  // A source that was removed and added again has the file twice; the one in use comes first.
  const sources = [...new Set(found.map((location) => location.source))];
  if (others.length > 0 && sources.length > 1) {
    throw new WrongUse(`${path} is in ${sources.length} sources`, `Add --source with one of ${sources.join(", ")}`);
  }
  return first;
}

async function unknownFile(db: Queryable, path: string): Promise<WrongUse> {
  const near = await pathsLike(db, path.slice(path.lastIndexOf("/") + 1));
  const hint =
    near.length === 0
      ? "casparian files lists what is on record; casparian scan looks for new files"
      : `On record: ${near.map((file) => file.path).join(", ")}`;
  return new WrongUse(`no file on record has the path ${path}`, hint);
}
