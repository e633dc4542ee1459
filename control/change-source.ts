import { insertAudit } from "../db/audit.ts";
import { transaction } from "../db/pool.ts";
import { deleteRulesOfSource } from "../db/routing-rule.ts";
import { setSourceState } from "../db/source-root.ts";
import type { ControlContext } from "./context.ts";
import { findSource, type Source } from "./find-source.ts";

export type SourceChange = "pause" | "resume" | "remove";

const states = { pause: "PAUSED", resume: "ACTIVE", remove: "REMOVED" } as const;

export interface ChangedSource {
  readonly source: Source;
  /** False where it was so already. */
  readonly changed: boolean;
  /** Rules that were for this source only, and went with it. */
  readonly rulesRemoved: number;
}

/**
 * Pauses, resumes or removes a source. What is recorded of a removed source stays on record: its files, versions, jobs and lineage.
 * Throws WrongUse for an unknown source.
 */
export async function changeSource({ db, actor }: ControlContext, name: string, change: SourceChange): Promise<ChangedSource> {
  return transaction(db, async (tx) => {
    const source = await findSource(tx, name);
    const state = states[change];
    if (source.state === state) return { source, changed: false, rulesRemoved: 0 };
    await setSourceState(tx, source.id, state);
    const rulesRemoved = change === "remove" ? await deleteRulesOfSource(tx, source.id) : 0;
    await insertAudit(tx, { actor, action: `source.${change}`, subject: name, detail: { path: source.path, rulesRemoved } });
    return { source: { ...source, state }, changed: true, rulesRemoved };
  });
}
