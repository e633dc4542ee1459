import type { Identity } from "../domain/sign-in.ts";
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
  /** Who the actor is by the word of a sign-in server; null where nobody had to sign in. */
  readonly identity?: Identity | null;
}

/** Appends to the audit trail; belongs into the transaction of the change itself. */
export async function insertAudit(db: Queryable, entry: AuditEntry): Promise<void> {
  const { identity = null } = entry;
  await db.query(
    `insert into cf_audit (actor, action, subject, detail, actor_issuer, actor_subject, actor_email) values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      entry.actor,
      entry.action,
      entry.subject,
      JSON.stringify(entry.detail ?? {}),
      identity?.issuer ?? null,
      identity?.subject ?? null,
      identity?.email ?? null,
    ],
  );
}

/** Who last did this to each subject. */
export async function lastActors(db: Queryable, action: string, subjects: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { rows } = await db.query<{ subject: string; actor: string }>(
    `select distinct on (subject) subject, actor from cf_audit where action = $1 and subject = any ($2::text[]) order by subject, id desc`,
    [action, subjects],
  );
  return new Map(rows.map(({ subject, actor }) => [subject, actor]));
}
