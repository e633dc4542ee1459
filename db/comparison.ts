import type { ComparisonResult } from "../domain/comparison.ts";
import type { Queryable } from "./pool.ts";

/** What was asked for. */
export interface ComparisonRequest {
  /** A glob; null for what the plugin's rules take. */
  readonly on: string | null;
  readonly source: string | null;
  readonly allVersions: boolean;
  readonly limit: number;
  readonly key: readonly string[];
  readonly tolerance: number | null;
}

/** A comparison that ended, as lists show it. */
export interface ComparisonSummary {
  readonly id: string;
  readonly plugin: string;
  readonly before: ComparedArtifact;
  readonly after: ComparedArtifact;
  readonly actor: string;
  readonly startedAt: Date;
  readonly endedAt: Date;
  readonly request: ComparisonRequest;
  readonly verdict: ComparisonResult["verdict"];
  readonly isComplete: boolean;
  readonly filesCompared: number;
  readonly filesDifferent: number;
  /** On which both versions fail. */
  readonly filesFailed: number;
  /** Whose bytes can't be had. */
  readonly filesSkipped: number;
}

export interface ComparedArtifact {
  readonly id: string;
  readonly version: string;
  readonly artifactHash: string;
}

export interface ComparisonRow extends ComparisonSummary {
  readonly result: ComparisonResult;
}

export type NewComparison = Pick<ComparisonRow, "plugin" | "actor" | "startedAt" | "request" | "result"> & {
  readonly before: Omit<ComparedArtifact, "version">;
  readonly after: Omit<ComparedArtifact, "version">;
};

/** Keeps a comparison, and returns its id. At least one file was compared. */
export async function insertComparison(tx: Queryable, comparison: NewComparison): Promise<string> {
  const { plugin, before, after, actor, startedAt, request, result } = comparison;
  const files = (...outcomes: readonly string[]): number => result.files.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const { rows } = await tx.query<{ id: string }>(
    `insert into cf_plugin_comparison (plugin_name, before_id, before_hash, after_id, after_hash, actor, started_at, ended_at, request, verdict, is_complete,
       files_compared, files_different, files_failed, files_skipped, result)
     values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), $8, $9, $10, $11, $12, $13, $14, $15) returning id`,
    [
      plugin,
      before.id,
      before.artifactHash,
      after.id,
      after.artifactHash,
      actor,
      startedAt,
      JSON.stringify(request),
      result.verdict,
      result.isComplete,
      files("same", "different"),
      files("different"),
      files("failed"),
      files("skipped"),
      // Postgres takes no null character in JSON; it is shown as people would see it.
      JSON.stringify(result).replaceAll("\\u0000", "\\u2400"),
    ],
  );
  return rows[0]!.id;
}

const summary = `
  c.id, c.plugin_name as plugin, c.actor, c.started_at as "startedAt", c.ended_at as "endedAt", c.request, c.verdict,
  json_build_object('id', c.before_id::text, 'version', b.version, 'artifactHash', c.before_hash) as before,
  json_build_object('id', c.after_id::text, 'version', a.version, 'artifactHash', c.after_hash) as after,
  c.is_complete as "isComplete", c.files_compared as "filesCompared", c.files_different as "filesDifferent",
  c.files_failed as "filesFailed", c.files_skipped as "filesSkipped"`;

const fromComparisons = `from cf_plugin_comparison c join cf_plugin_manifest b on b.id = c.before_id join cf_plugin_manifest a on a.id = c.after_id`;

/** Those of a plugin, or of all, the newest first. */
export async function listComparisons(db: Queryable, plugin: string | null, limit: number): Promise<readonly ComparisonSummary[]> {
  const { rows } = await db.query<ComparisonSummary>(
    `select ${summary} ${fromComparisons} where $1::text is null or c.plugin_name = $1 order by c.id desc limit $2`,
    [plugin, limit],
  );
  return rows;
}

/** Null for an unknown one. */
export async function findComparison(db: Queryable, id: string): Promise<ComparisonRow | null> {
  const { rows } = await db.query<ComparisonRow>(`select ${summary}, c.result ${fromComparisons} where c.id = $1`, [id]);
  return rows[0] ?? null;
}

/** The newest comparison of exactly these two artifacts; null where there is none. */
export async function newestComparison(db: Queryable, beforeId: string, afterId: string): Promise<ComparisonSummary | null> {
  const { rows } = await db.query<ComparisonSummary>(
    `select ${summary} ${fromComparisons} where c.before_id = $1 and c.after_id = $2 order by c.id desc limit 1`,
    [beforeId, afterId],
  );
  return rows[0] ?? null;
}
