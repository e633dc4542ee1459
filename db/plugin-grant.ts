import type { PluginGrants } from "../domain/plugin-grant.ts";
import type { Queryable } from "./pool.ts";

export interface GrantRow {
  readonly plugin: string;
  readonly kind: "READ" | "HOST";
  /** An absolute path, or `name:port`. */
  readonly target: string;
  readonly grantedAt: Date;
  /** `user@host`. */
  readonly grantedBy: string;
}

/** All grants, or those of one plugin. */
export async function listGrants(db: Queryable, pluginName: string | null): Promise<readonly GrantRow[]> {
  const { rows } = await db.query<GrantRow>(
    `select plugin_name as plugin, kind, target, granted_at as "grantedAt", granted_by as "grantedBy"
     from cf_plugin_grant where $1::text is null or plugin_name = $1 order by plugin_name, kind desc, target`,
    [pluginName],
  );
  return rows;
}

/** What a plugin's next job may reach. */
export async function grantsOf(db: Queryable, pluginName: string): Promise<PluginGrants> {
  const rows = await listGrants(db, pluginName);
  const of = (kind: GrantRow["kind"]) => rows.filter((row) => row.kind === kind).map(({ target }) => target);
  return { read: of("READ"), hosts: of("HOST") };
}

/** Returns false where it was granted already. */
export async function insertGrant(db: Queryable, { plugin, kind, target, grantedBy }: Omit<GrantRow, "grantedAt">): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into cf_plugin_grant (plugin_name, kind, target, granted_by) values ($1, $2, $3, $4) on conflict do nothing`,
    [plugin, kind, target, grantedBy],
  );
  return rowCount === 1;
}

/** Returns false where it was not granted. */
export async function deleteGrant(db: Queryable, { plugin, kind, target }: Pick<GrantRow, "plugin" | "kind" | "target">): Promise<boolean> {
  const { rowCount } = await db.query("delete from cf_plugin_grant where plugin_name = $1 and kind = $2 and target = $3", [
    plugin,
    kind,
    target,
  ]);
  return rowCount === 1;
}
