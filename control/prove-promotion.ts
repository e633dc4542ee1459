import { findComparison, newestComparison, type ComparisonSummary } from "../db/comparison.ts";
import type { PluginSummary } from "../db/plugin.ts";
import type { Queryable } from "../db/pool.ts";
import { insertPromotion } from "../db/promotion.ts";
import { TerminalFailure, WrongUse } from "../domain/failure.ts";
import { isId } from "./show-job.ts";

/** With what proof a version is to become the active one. */
export interface ProofOptions {
  /** `[plugins] require_comparison`. */
  readonly required?: boolean;
  /** A comparison's id; the newest one of the two versions unless given. */
  readonly comparison?: string | undefined;
  /** Whether the actor accepts what differs. */
  readonly acceptDifferences?: boolean;
}

/**
 * Records that a version takes the place of another, with the comparison of exactly these two, where there is one. The name is locked. Throws
 * TerminalFailure PROOF_MISSING where one is required, and WrongUse for a comparison of others.
 */
export async function recordPromotion(
  tx: Queryable,
  actor: string,
  { chosen, replaced }: { readonly chosen: PluginSummary; readonly replaced: PluginSummary | null },
  options: ProofOptions = {},
): Promise<ComparisonSummary | null> {
  const comparison = replaced === null ? null : await findProof(tx, chosen, replaced, options.comparison);
  if (options.comparison !== undefined && comparison === null)
    throw new WrongUse(
      `no version of ${chosen.name} is active, so comparison ${options.comparison} proves nothing`,
      "Activate without --comparison",
    );
  const accepts = options.acceptDifferences === true;
  if (accepts && comparison === null)
    throw new WrongUse("there is no comparison whose differences could be accepted", compareFirst(chosen, replaced));
  if (options.required === true && replaced !== null) refuseUnproven(chosen, replaced, comparison, accepts);
  await insertPromotion(tx, {
    pluginId: chosen.id,
    replacedId: replaced?.id ?? null,
    comparisonId: comparison?.id ?? null,
    differencesAccepted: accepts && comparison?.verdict === "DIFFERENT",
    actor,
  });
  return comparison;
}

async function findProof(
  tx: Queryable,
  chosen: PluginSummary,
  replaced: PluginSummary,
  asked: string | undefined,
): Promise<ComparisonSummary | null> {
  if (asked === undefined) return newestComparison(tx, replaced.id, chosen.id);
  const found = isId(asked) ? await findComparison(tx, asked) : null;
  if (found === null) throw new WrongUse(`there is no comparison ${asked}`, `casparian plugin comparisons ${chosen.name}`);
  if (found.before.id === replaced.id && found.after.id === chosen.id) return found;
  throw new WrongUse(
    `comparison ${asked} is of ${found.plugin} ${found.after.version} against ${found.before.version}, and ${chosen.name} ${chosen.version} is to take the place of ${replaced.version}`,
    compareFirst(chosen, replaced),
  );
}

function refuseUnproven(chosen: PluginSummary, replaced: PluginSummary, comparison: ComparisonSummary | null, accepts: boolean): void {
  if (comparison?.verdict === "SAME" || (comparison?.isComplete === true && accepts)) return;
  const title = `${chosen.name} ${chosen.version}`;
  const unmet = (message: string, hint: string): TerminalFailure => new TerminalFailure({ code: "PROOF_MISSING", message, hint });
  const policy = "(require_comparison in casparian.toml)";
  if (comparison === null)
    throw unmet(
      `${title} was not compared with ${replaced.version}, whose place it would take, and that is required here ${policy}`,
      compareFirst(chosen, replaced),
    );
  if (!comparison.isComplete)
    throw unmet(
      `comparison ${comparison.id} of ${title} with ${replaced.version} ended at the first file that differs, and a whole one is required here ${policy}`,
      `${compareFirst(chosen, replaced)}, without --fail-fast`,
    );
  throw unmet(
    `by comparison ${comparison.id}, ${title} and ${replaced.version} differ on ${comparison.filesDifferent} of ${comparison.filesCompared} files`,
    `Look at it: casparian plugin comparison ${comparison.id}. If that is meant: casparian plugin activate ${chosen.name} ${chosen.version} --accept-differences`,
  );
}

function compareFirst(chosen: PluginSummary, replaced: PluginSummary | null): string {
  const against = replaced === null ? "" : ` --against ${replaced.version}`;
  return `casparian plugin compare ${chosen.name}@${chosen.version}${against}`;
}
