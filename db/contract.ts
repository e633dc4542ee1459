import type { ColumnChange, Contract, ContractColumn, ContractState, ContractVersion } from "../domain/contract.ts";
import type { OutputColumns } from "./job-output.ts";
import { prepared, type Queryable } from "./pool.ts";

/** A version of a contract with its history. */
export interface ContractRow extends ContractVersion {
  /** Whose rows it was made from; null where a person wrote it. */
  readonly jobId: string | null;
  readonly author: string;
  readonly createdAt: Date;
  readonly approvedAt: Date | null;
  readonly retiredAt: Date | null;
}

const columnList = `id, plugin_name as plugin, output_name as output, version, state, columns, policy, rows_max::float8 as "rowsMax",
  share_max as "shareMax", job_id as "jobId", author, created_at as "createdAt", approved_at as "approvedAt", retired_at as "retiredAt"`;

/** Versions of contracts, the newest of each output first. */
export async function listContracts(
  db: Queryable,
  filter: { readonly plugin?: string | undefined; readonly output?: string | undefined; readonly states?: readonly ContractState[] },
): Promise<readonly ContractRow[]> {
  const { rows } = await db.query<ContractRow>(
    `select ${columnList} from cf_contract
     where ($1::text is null or plugin_name = $1) and ($2::text is null or output_name = $2) and ($3::text[] is null or state = any ($3))
     order by plugin_name, output_name, cf_contract.version desc`,
    [filter.plugin ?? null, filter.output ?? null, filter.states ?? null],
  );
  return rows;
}

/** The contract in force for each output of a plugin. */
export async function contractsOf(db: Queryable, plugin: string): Promise<ReadonlyMap<string, ContractVersion>> {
  const { rows } = await db.query<ContractRow>(
    prepared(`select ${columnList} from cf_contract where plugin_name = $1 and state = 'APPROVED'`, [plugin]),
  );
  return new Map(rows.map((row) => [row.output, row]));
}

/** Lets one transaction at a time change the contract of an output. */
export async function lockContract(tx: Queryable, plugin: string, output: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('casparian contract ' || $1 || ' ' || $2, 0))", [plugin, output]);
}

export interface NewContract extends Contract {
  readonly plugin: string;
  readonly output: string;
  readonly jobId: string | null;
  readonly author: string;
}

/** Stores the next version as a proposal, and returns its id. The output is locked. */
export async function insertContract(tx: Queryable, contract: NewContract): Promise<string> {
  const { rows } = await tx.query<{ id: string }>(
    `insert into cf_contract (plugin_name, output_name, version, columns, policy, rows_max, share_max, state, job_id, author)
     select $1, $2, 1 + coalesce(max(version), 0), $3, $4, $5, $6, 'PROPOSED', $7, $8
     from cf_contract where plugin_name = $1 and output_name = $2 returning id`,
    [
      contract.plugin,
      contract.output,
      JSON.stringify(contract.columns),
      contract.policy,
      contract.rowsMax,
      contract.shareMax,
      contract.jobId,
      contract.author,
    ],
  );
  return rows[0]!.id;
}

/** Puts a version into force, and takes the one that was, and earlier proposals, out of it. The output is locked. */
export async function approveContract(tx: Queryable, id: string): Promise<void> {
  // Two statements in this order, because the record allows one approved version at any moment.
  await tx.query(
    `update cf_contract c set state = 'RETIRED', retired_at = now() from cf_contract n
     where n.id = $1 and (c.plugin_name, c.output_name) = (n.plugin_name, n.output_name) and c.id <> n.id
       and (c.state = 'APPROVED' or (c.state = 'PROPOSED' and c.version < n.version))`,
    [id],
  );
  await tx.query("update cf_contract set state = 'APPROVED', approved_at = now(), retired_at = null where id = $1", [id]);
}

/** What a job has seen of an output's columns that is not in the contract. */
export interface Drift {
  readonly output: string;
  readonly contractId: string;
  readonly changes: readonly ColumnChange[];
  readonly givenColumns: readonly ContractColumn[];
  readonly refused: boolean;
}

export async function insertDrift(db: Queryable, job: { readonly id: string; readonly attempt: number }, drift: Drift): Promise<void> {
  await db.query(
    `insert into cf_contract_drift (job_id, attempt, output_name, contract_id, changes, given_columns, refused) values ($1, $2, $3, $4, $5, $6, $7)`,
    [job.id, job.attempt, drift.output, drift.contractId, JSON.stringify(drift.changes), JSON.stringify(drift.givenColumns), drift.refused],
  );
}

/** The newest columns that a plugin yielded for an output, committed or refused for their drift; null where there were none. */
export async function lastColumns(
  db: Queryable,
  plugin: string,
  output: string,
): Promise<{ readonly jobId: string; readonly columns: readonly ContractColumn[]; readonly refused: boolean } | null> {
  const { rows } = await db.query<{ jobId: string; columns: readonly ContractColumn[]; refused: boolean }>(
    `select job_id as "jobId", columns, refused from (
       select o.job_id, o.given_columns as columns, false as refused, o.committed_at as at from cf_job_output o
       join cf_processing_job j on j.id = o.job_id
       where j.plugin_name = $1 and o.output_name = $2 and o.given_columns is not null and o.state = 'COMMITTED' and o.replay_of is null
       union all
       select d.job_id, d.given_columns, true, d.seen_at from cf_contract_drift d
       join cf_processing_job j on j.id = d.job_id where j.plugin_name = $1 and d.output_name = $2 and d.refused
     ) seen order by at desc limit 1`,
    [plugin, output],
  );
  return rows[0] ?? null;
}

/**
 * What the results of a job that are being committed mean for contracts: the first rows of an output propose one, and rows that were
 * taken by widening make the next version, unless somebody has changed the contract meanwhile.
 */
export async function recordContracts(tx: Queryable, jobId: string, outputs: readonly OutputColumns[]): Promise<void> {
  for (const { plugin, output, contractId, givenColumns, nextColumns } of outputs) {
    await lockContract(tx, plugin, output);
    const versions = await listContracts(tx, { plugin, output });
    const current = versions.find(({ id }) => id === contractId);
    if (nextColumns !== null && current?.state === "APPROVED") {
      const id = await insertContract(tx, { ...current, columns: nextColumns, jobId, author: "casparian" });
      await approveContract(tx, id);
    } else if (versions.length === 0) {
      const first = { policy: "evolve", rowsMax: null, shareMax: null, jobId, author: "casparian" } as const;
      await insertContract(tx, { ...first, plugin, output, columns: givenColumns });
    }
  }
}
