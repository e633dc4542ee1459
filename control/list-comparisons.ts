import { findComparison, listComparisons as selectComparisons, type ComparisonRow, type ComparisonSummary } from "../db/comparison.ts";
import { WrongUse } from "../domain/failure.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";
import { isId } from "./show-job.ts";

export type { ComparisonRow, ComparisonSummary } from "../db/comparison.ts";
export type { FileComparison, OutputComparison, RowExample, Sides } from "../domain/comparison.ts";

/** Comparisons of a plugin's versions, or of all, the newest first. Throws WrongUse for an unknown plugin. */
export async function listComparisons(
  { db }: ControlContext,
  plugin: string | undefined,
  limit: number,
): Promise<readonly ComparisonSummary[]> {
  if (plugin !== undefined) await findPlugin(db, plugin);
  return selectComparisons(db, plugin ?? null, limit);
}

/** Throws WrongUse for an unknown one. */
export async function showComparison({ db }: ControlContext, id: string): Promise<ComparisonRow> {
  const found = isId(id) ? await findComparison(db, id) : null;
  if (found !== null) return found;
  throw new WrongUse(`there is no comparison ${id}`, "casparian plugin comparisons lists them");
}
