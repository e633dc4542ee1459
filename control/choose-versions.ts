import { backlogVersions, type BacklogVersion } from "../db/backlog.ts";
import type { Queryable } from "../db/pool.ts";
import { listRules } from "../db/routing-rule.ts";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { checkPattern } from "../domain/route.ts";
import { createChoice, type VersionChoice } from "../domain/version-choice.ts";
import { findSource } from "./find-source.ts";

export interface ChosenVersions extends VersionChoice {
  /** A source's name; null for all. */
  readonly source: string | null;
  readonly allVersions: boolean;
  readonly newestFirst: boolean;
}

/** Files looked at at once. */
const pageFiles = 5_000;

/** The first so many versions on record that are meant. Throws WrongUse for an unknown source and for a glob that is none. */
export async function chooseVersions(db: Queryable, chosen: ChosenVersions, limit: number): Promise<readonly BacklogVersion[]> {
  const { source, allVersions, newestFirst, on } = chosen;
  requireGlob(on);
  const sourceIds = source === null ? null : [(await findSource(db, source)).id];
  const isMeant = createChoice(await listRules(db), chosen);
  const found: BacklogVersion[] = [];
  for (let afterId: string | null = null; found.length < limit;) {
    const page: readonly BacklogVersion[] = await backlogVersions(db, { sourceIds, allVersions, newestFirst, afterId, limit: pageFiles });
    if (page.length === 0) break;
    found.push(...page.filter(({ path, sourceId }) => isMeant(path, sourceId)));
    afterId = page.at(-1)!.locationId;
  }
  return found.slice(0, limit);
}

/** Throws WrongUse. */
export function requireGlob(on: string | null): void {
  if (on === null) return;
  try {
    checkPattern(on);
  } catch (error) {
    throw new WrongUse(`"${on}" is no pattern of files: ${messageOf(error)}`, "Give one between quotes, like '2026/**/*.csv'");
  }
}
