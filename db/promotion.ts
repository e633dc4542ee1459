import type { ComparisonSummary } from "./comparison.ts";
import type { Queryable } from "./pool.ts";

export interface NewPromotion {
  readonly pluginId: string;
  /** The version whose place it takes; null where none was active. */
  readonly replacedId: string | null;
  /** Of exactly these two. */
  readonly comparisonId: string | null;
  readonly differencesAccepted: boolean;
  readonly actor: string;
}

/** How a version became the active one last. */
export interface Promotion {
  readonly replaced: string | null;
  readonly actor: string;
  readonly promotedAt: Date;
  readonly differencesAccepted: boolean;
  /** With what proof; null where it had none. */
  readonly comparison: Pick<ComparisonSummary, "id" | "verdict" | "filesCompared" | "filesDifferent" | "isComplete"> | null;
}

/** Belongs into the transaction that makes the version the active one. */
export async function insertPromotion(tx: Queryable, promotion: NewPromotion): Promise<void> {
  const { pluginId, replacedId, comparisonId, differencesAccepted, actor } = promotion;
  await tx.query(
    "insert into cf_plugin_promotion (plugin_id, replaced_id, comparison_id, differences_accepted, actor) values ($1, $2, $3, $4, $5)",
    [pluginId, replacedId, comparisonId, differencesAccepted, actor],
  );
}

/** Null for a version that never became the active one, or did before promotions were kept. */
export async function lastPromotion(db: Queryable, pluginId: string): Promise<Promotion | null> {
  const { rows } = await db.query<Promotion>(
    `select r.version as replaced, p.actor, p.promoted_at as "promotedAt", p.differences_accepted as "differencesAccepted",
       case when c.id is not null then json_build_object('id', c.id::text, 'verdict', c.verdict, 'filesCompared', c.files_compared,
         'filesDifferent', c.files_different, 'isComplete', c.is_complete) end as comparison
     from cf_plugin_promotion p left join cf_plugin_manifest r on r.id = p.replaced_id left join cf_plugin_comparison c on c.id = p.comparison_id
     where p.plugin_id = $1 order by p.id desc limit 1`,
    [pluginId],
  );
  return rows[0] ?? null;
}
