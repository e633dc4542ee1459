import { compareColumns } from "../contracts/compare.ts";
import { documentOf, parseContract, refuseImpossible, type ContractDocument } from "../contracts/document.ts";
import { canonicalType } from "../contracts/type-name.ts";
import { insertAudit } from "../db/audit.ts";
import { approveContract, insertContract, lastColumns, listContracts, lockContract, type ContractRow } from "../db/contract.ts";
import { transaction, type Queryable } from "../db/pool.ts";
import type { ColumnChange, ColumnChecks, Contract, ContractColumn, ContractPolicy } from "../domain/contract.ts";
import { WrongUse } from "../domain/failure.ts";
import { closest } from "../domain/suggest.ts";
import type { ControlContext } from "./context.ts";
import { findPlugin } from "./find-plugin.ts";

export type { ContractRow } from "../db/contract.ts";

/** The output of a plugin that a contract is for; `output` may be left out where there is only one. */
export interface ContractPlace {
  readonly plugin: string;
  readonly output?: string | undefined;
}

/** What is in force, and proposals that are newer, of one plugin or all. */
export async function listCurrentContracts({ db }: ControlContext, plugin: string | undefined): Promise<readonly ContractRow[]> {
  if (plugin !== undefined) await findPlugin(db, plugin);
  const rows = await listContracts(db, { plugin, states: ["APPROVED", "PROPOSED"] });
  const newest = (row: ContractRow): ContractRow => rows.find((other) => other.plugin === row.plugin && other.output === row.output)!;
  return rows.filter((row) => row.state === "APPROVED" || newest(row) === row);
}

/** One version of an output's contract (the one in force, or else the newest, unless asked for) with all versions, newest first. Throws WrongUse. */
export async function showContract(
  { db }: ControlContext,
  place: ContractPlace,
  version?: number,
): Promise<{ readonly contract: ContractRow; readonly document: ContractDocument; readonly versions: readonly ContractRow[] }> {
  const versions = await findVersions(db, place);
  const contract = choose(versions, version);
  return { contract, document: documentOf(contract), versions };
}

/**
 * Puts a contract into force for jobs that begin from then on: a version on record (the newest proposal unless one is named), a text, or the
 * contract in force (else the proposal) with the columns that came last. Throws WrongUse.
 */
export async function approve(
  { db, actor }: ControlContext,
  place: ContractPlace,
  what: { readonly version?: number | undefined; readonly text?: string | undefined; readonly where?: string; readonly last?: boolean },
): Promise<ContractRow> {
  return transaction(db, async (tx) => {
    const [plugin] = await findPlugin(tx, place.plugin);
    const known = await listContracts(tx, { plugin: place.plugin });
    const output =
      place.output ?? (what.text !== undefined && known.length === 0 ? plugin.manifest.topic : (await findVersions(tx, place))[0]!.output);
    await lockContract(tx, place.plugin, output);
    const versions = await listContracts(tx, { plugin: place.plugin, output });
    const contract =
      what.text !== undefined
        ? parseContract(what.text, what.where ?? "the contract")
        : what.last === true
          ? await withLastColumns(tx, place.plugin, output, choose(versions, undefined))
          : null;
    if (contract === null) {
      const chosen = chooseToApprove(versions, what.version, { ...place, output });
      return inForce(tx, actor, chosen.id, "contract.approve");
    }
    const id = await store(tx, actor, { plugin: place.plugin, output, contract, versions });
    return inForce(tx, actor, id, "contract.approve");
  });
}

/** What `set` changes; what is left out stays, and null takes a limit away. */
export interface ContractChanges {
  readonly policy?: ContractPolicy | undefined;
  readonly rowsMax?: number | null | undefined;
  readonly shareMax?: number | null | undefined;
  readonly column?: ColumnChanges | undefined;
}

export interface ColumnChanges {
  readonly name: string;
  readonly type?: string | undefined;
  readonly nullable?: boolean | undefined;
  /** Takes all checks away before the others are set. */
  readonly withoutChecks?: boolean | undefined;
  readonly checks: ColumnChecks;
}

/** Makes a new version with changes: in force at once where the one that it changes was, else a proposal again. Throws WrongUse. */
export async function setContract({ db, actor }: ControlContext, place: ContractPlace, changes: ContractChanges): Promise<ContractRow> {
  return transaction(db, async (tx) => {
    const [{ output }] = (await findVersions(tx, place)) as [ContractRow];
    await lockContract(tx, place.plugin, output);
    const versions = await listContracts(tx, { plugin: place.plugin, output });
    const base = choose(versions, undefined);
    const contract = {
      policy: changes.policy ?? base.policy,
      rowsMax: changes.rowsMax === undefined ? base.rowsMax : changes.rowsMax,
      shareMax: changes.shareMax === undefined ? base.shareMax : changes.shareMax,
      columns: changes.column === undefined ? base.columns : changedColumns(base.columns, changes.column),
    };
    const id = await store(tx, actor, { plugin: place.plugin, output, contract, versions });
    if (base.state !== "PROPOSED") return inForce(tx, actor, id, "contract.set");
    await audit(tx, actor, "contract.set", place.plugin, output, { version: versions[0]!.version + 1, state: "PROPOSED" });
    return (await listContracts(tx, { plugin: place.plugin, output }))[0]!;
  });
}

/** How the columns that came last, or those of another version, differ from a contract's. */
export interface ContractDiff {
  readonly contract: ContractRow;
  readonly other: { readonly version: number } | { readonly jobId: string; readonly refused: boolean };
  readonly changes: readonly ColumnChange[];
}

/** Compares a contract (in force unless a version is named) with another version, or with what came last. Throws WrongUse. */
export async function diffContract(
  { db }: ControlContext,
  place: ContractPlace,
  { from, to }: { readonly from?: number | undefined; readonly to?: number | undefined },
): Promise<ContractDiff> {
  const versions = await findVersions(db, place);
  const contract = choose(versions, from);
  if (to !== undefined) {
    const other = choose(versions, to);
    return { contract, other: { version: to }, changes: compareColumns(contract.columns, other.columns) };
  }
  const last = await lastColumns(db, contract.plugin, contract.output);
  if (last === null)
    throw new WrongUse(`no job has yielded ${contract.output} of ${contract.plugin} yet`, "Compare versions: --from 1 --to 2");
  return { contract, other: { jobId: last.jobId, refused: last.refused }, changes: compareColumns(contract.columns, last.columns) };
}

async function findVersions(db: Queryable, { plugin, output }: ContractPlace): Promise<readonly ContractRow[]> {
  await findPlugin(db, plugin);
  const all = await listContracts(db, { plugin });
  const outputs = [...new Set(all.map((row) => row.output))];
  if (outputs.length === 0)
    throw new WrongUse(
      `plugin ${plugin} has no contract yet`,
      `Its first committed job proposes one; or write one: casparian contract approve ${plugin} OUTPUT --file contract.toml`,
    );
  if (output === undefined && outputs.length > 1)
    throw new WrongUse(`plugin ${plugin} has several outputs with a contract`, `Name one of them: ${outputs.join(", ")}`);
  const name = output ?? outputs[0]!;
  if (!outputs.includes(name)) throw new WrongUse(`output ${name} of ${plugin} has no contract`, suggestion(name, outputs));
  return all.filter((row) => row.output === name);
}

function suggestion(name: string, known: readonly string[]): string {
  const near = closest(name, known);
  return near === null ? `There are: ${known.join(", ")}` : `Did you mean ${near}?`;
}

function choose(versions: readonly ContractRow[], version: number | undefined): ContractRow {
  const found =
    version === undefined
      ? (versions.find(({ state }) => state === "APPROVED") ?? versions[0])
      : versions.find((row) => row.version === version);
  if (found !== undefined) return found;
  throw new WrongUse(
    version === undefined ? "there is no contract yet" : `there is no version ${version}`,
    `Versions: ${versions.map((row) => row.version).join(", ")}`,
  );
}

function chooseToApprove(versions: readonly ContractRow[], version: number | undefined, { plugin, output }: ContractPlace): ContractRow {
  if (version !== undefined) {
    const named = choose(versions, version);
    if (named.state !== "APPROVED") return named;
    throw new WrongUse(`version ${version} of the contract is in force already`);
  }
  const [newest] = versions;
  if (newest?.state === "PROPOSED") return newest;
  throw new WrongUse(
    `nothing is proposed for output ${output} of ${plugin}; version ${newest?.version} is in force`,
    "Name a version (--number N), a file (--file contract.toml), or take the columns that came last (--last)",
  );
}

async function withLastColumns(tx: Queryable, plugin: string, output: string, base: ContractRow): Promise<Contract> {
  const last = await lastColumns(tx, plugin, output);
  if (last === null) throw new WrongUse(`no job has yielded ${output} of ${plugin} yet`);
  const known = new Map(base.columns.map((column) => [column.name, column]));
  const columns = last.columns.map((column): ContractColumn => {
    const before = known.get(column.name);
    return before === undefined ? column : { ...before, type: column.type === "null" ? before.type : column.type };
  });
  return { ...base, columns };
}

function changedColumns(
  columns: readonly ContractColumn[],
  { name, type, nullable, withoutChecks, checks }: ColumnChanges,
): readonly ContractColumn[] {
  const found = columns.find((column) => column.name === name);
  if (found === undefined) throw new WrongUse(`the contract has no column ${name}`, suggestion(name, columns.map((column) => column.name))); // prettier-ignore
  const set = Object.fromEntries(Object.entries(checks).filter(([, value]) => value !== undefined)) as ColumnChecks;
  const merged = { ...(withoutChecks === true ? {} : found.checks), ...set };
  const changed: ContractColumn = {
    name,
    type: type === undefined ? found.type : canonicalType(type),
    nullable: nullable ?? found.nullable,
    ...(Object.keys(merged).length > 0 && { checks: merged }),
  };
  return columns.map((column) => (column === found ? changed : column));
}

interface Storing {
  readonly plugin: string;
  readonly output: string;
  readonly contract: Contract;
  readonly versions: readonly ContractRow[];
}

async function store(tx: Queryable, actor: string, { plugin, output, contract, versions }: Storing): Promise<string> {
  const last = await lastColumns(tx, plugin, output);
  refuseImpossible(contract, [...versions.flatMap(({ columns }) => columns), ...(last?.columns ?? [])]);
  return insertContract(tx, { ...contract, plugin, output, jobId: null, author: actor });
}

async function inForce(tx: Queryable, actor: string, id: string, action: string): Promise<ContractRow> {
  await approveContract(tx, id);
  const row = (await listContracts(tx, { states: ["APPROVED"] })).find((each) => each.id === id)!;
  await audit(tx, actor, action, row.plugin, row.output, { version: row.version, policy: row.policy });
  return row;
}

async function audit(
  tx: Queryable,
  actor: string,
  action: string,
  plugin: string,
  output: string,
  detail: Readonly<Record<string, unknown>>,
): Promise<void> {
  await insertAudit(tx, { actor, action, subject: `${plugin}/${output}`, detail });
}
