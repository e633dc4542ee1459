import { listSources, type Source } from "../db/source-root.ts";
import type { Queryable } from "../db/pool.ts";
import { WrongUse } from "../domain/failure.ts";
import { closest } from "../domain/suggest.ts";

export type { Source, SourceSettings } from "../db/source-root.ts";

/** The source in use with this name. Throws WrongUse that names the nearest one. */
export async function findSource(db: Queryable, name: string): Promise<Source> {
  const sources = await listSources(db);
  const found = sources.find((source) => source.name === name);
  if (found !== undefined) return found;
  const near = closest(
    name,
    sources.map((source) => source.name),
  );
  throw new WrongUse(
    `there is no source "${name}"`,
    near !== null
      ? `Did you mean ${near}?`
      : sources.length === 0
        ? noSourceHint
        : `Sources: ${sources.map((source) => source.name).join(", ")}`,
  );
}

export const noSourceHint = "Add a folder: casparian source add NAME PATH";
