import type { Queryable } from "./pool.ts";

export interface AuditEntry {
  /** `user@host`. */
  readonly actor: string;
  /** Noun and verb: `source.add`. */
  readonly action: string;
  /** What it was done to, as people name it: `clean@2`, `job 17`. */
  readonly subject: string;
  /** JSON only and never secrets. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Appends to the audit trail; belongs into the transaction of the change itself. */
export async function insertAudit(db: Queryable, entry: AuditEntry): Promise<void> {
  await db.query("insert into cf_audit (actor, action, subject, detail) values ($1, $2, $3, $4)", [
    entry.actor,
    entry.action,
    entry.subject,
    JSON.stringify(entry.detail ?? {}),
  ]);
}

/** Who last did this to each subject. */
export async function lastActors(db: Queryable, action: string, subjects: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.query<{ subject: string; actor: string }>(
    `select distinct on (subject) subject, actor from cf_audit where action = $1 and subject = any ($2::text[]) order by subject, id desc`,
    [action, subjects],
  );
  return new Map(rows.map(({ subject, actor }) => [subject, actor]));
}
