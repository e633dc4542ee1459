import type { GatekeeperReport } from "../domain/gatekeeper.ts";
import type { Queryable } from "./pool.ts";

export interface KeptReport extends GatekeeperReport {
  readonly examinedAt: Date;
}

/** Keeps what the gatekeeper made of an artifact; an earlier report of the same one gives way, because packages are yanked later, too. */
export async function keepGatekeeperReport(tx: Queryable, pluginId: string, { findings, unchecked }: GatekeeperReport): Promise<void> {
  await tx.query(
    `insert into cf_gatekeeper_report (plugin_id, findings, unchecked) values ($1, $2, $3)
     on conflict (plugin_id) do update
       set findings = excluded.findings, unchecked = excluded.unchecked, examined_at = excluded.examined_at
       where (cf_gatekeeper_report.findings, cf_gatekeeper_report.unchecked) is distinct from (excluded.findings, excluded.unchecked)`,
    [pluginId, JSON.stringify(findings), JSON.stringify(unchecked)],
  );
}

/** Null for an artifact that was published without the gatekeeper. */
export async function findGatekeeperReport(db: Queryable, pluginId: string): Promise<KeptReport | null> {
  const { rows } = await db.query<KeptReport>(
    'select findings, unchecked, examined_at as "examinedAt" from cf_gatekeeper_report where plugin_id = $1',
    [pluginId],
  );
  return rows[0] ?? null;
}
