import { dictionaryIds } from "../arrow/buffers.ts";
import { createBatchReader, type Batch, type Column } from "../arrow/column.ts";
import { runsOf, takeRows } from "../arrow/filter.ts";
import { createRowKeeper } from "../arrow/keep-rows.ts";
import { dictionaryOf, openMessage, readingArrow } from "../arrow/message.ts";
import { writeSchema } from "../arrow/schema.ts";
import { jsonReader } from "../arrow/text.ts";
import { describeFields, typeName, type ArrowField } from "../arrow/type.ts";
import { writeBatch } from "../arrow/write-batch.ts";
import type { ArrowMessage } from "../domain/arrow.ts";
import {
  describeChange,
  type ColumnChange,
  type Contract,
  type ContractColumn,
  type RejectedRow,
  type RejectionReason,
} from "../domain/contract.ts";
import { TerminalFailure, type FailureDetail } from "../domain/failure.ts";
import { castOf, nullColumn, quoted, type Cast, type Refuse } from "./cast.ts";
import { checksOf, uniqueCheck, type Check, type UniqueCheck } from "./check.ts";
import { compareColumns, haveSameValues, widenedColumns } from "./compare.ts";
import { parseType, plainField, valuesType } from "./type-name.ts";

/** Holds what a plugin yields for one output of one file against a contract. */
export interface Screen {
  /** The schema of the rows that pass. */
  readonly schema: ArrowMessage;
  /** How the columns that came differ from the contract's. */
  readonly changes: readonly ColumnChange[];
  /** What the contract's columns become by this file; null where they stay. */
  readonly nextColumns: readonly ContractColumn[] | null;
  /** Throws TerminalFailure SINK_SCHEMA for what is no valid message. */
  take(message: ArrowMessage): Screened;
}

export interface Screened {
  /** What passes of a message, which is the message itself where all of it does; null where nothing is left to write. */
  readonly message: ArrowMessage | null;
  readonly rejected: readonly RejectedRow[];
  /** The rejected rows as they came (`createRowKeeper`); null where there is none. */
  readonly kept: Uint8Array | null;
}

/** The columns of a schema message, as a contract has them. */
export function columnsOf(schema: ArrowMessage): readonly ContractColumn[] {
  return describeFields(createBatchReader(schema).schema.fields);
}

/**
 * Throws ContractDrift where the columns that came are not to be taken: with policy `freeze` any
 * change, with `evolve` one that is neither wider nor added. With `quarantine` each value is made the contract's type, or its row is set
 * aside; so is a row that has a value in a column that the contract doesn't know.
 */
export function createScreen(options: {
  readonly contract: Contract;
  readonly output: string;
  readonly schema: ArrowMessage;
  /** How it is told which values a file has twice; by comparing all that come unless given. */
  readonly unique?: UniqueCheck;
}): Screen {
  const { contract, output, unique = uniqueCheck } = options;
  const reader = createBatchReader(options.schema);
  const { fields, metadata } = reader.schema;
  const given = fields.map((field) => ({ name: field.name, type: typeName(field) }));
  const changes = compareColumns(contract.columns, given);
  refuseDrift(output, contract, changes);
  const isEvolving = contract.policy === "evolve" && changes.length > 0;
  const columns = isEvolving ? widenedColumns(contract.columns, changes) : contract.columns;
  const programs = columns.map((column) => programOf(column, { fields, output, changes, unique }));
  const known = new Set(columns.map(({ name }) => name));
  const unknown = fields.flatMap(({ name }, index) => (known.has(name) ? [] : [index]));
  const isSame = fields.length === programs.length && programs.every(({ from, cast }, index) => from === index && cast === null);
  const dictionaries = new Set(programs.filter(({ cast }) => cast === null).flatMap(({ field }) => dictionaryIds(field)));
  const isChecked = programs.some(({ checks }) => checks.length > 0);
  const keep = createRowKeeper(fields);
  let rowsBefore = 0;

  return {
    schema: { kind: "schema", rows: 0, bytes: writeSchema({ fields: programs.map(({ field }) => field), metadata }) },
    changes,
    nextColumns: isEvolving ? columns : null,
    take(message) {
      if (isSame && !isChecked) return { message, rejected: [], kept: null };
      return readingArrow(`a ${message.kind} of output ${output}`, () => {
        const batch = reader.read(message);
        if (batch === null) return { message: dictionaries.has(idOf(message)) ? message : null, rejected: [], kept: null };
        return screen(batch, message);
      });
    },
  };

  function screen(batch: Batch, message: ArrowMessage): Screened {
    const rejections = createRejections(batch.rows);
    const made = programs.map((program) => runProgram(program, batch, rejections.refuse));
    for (const index of unknown) refuseValues(batch.columns[index]!, rejections.refuse);
    const rejected = rejections.rows(batch, rowsBefore);
    rowsBefore += batch.rows;
    if (rejected.length === 0) return { message: isSame ? message : writeBatch(batch.rows, made), rejected, kept: null };
    const runs = runsOf(rejections.marks, false);
    const taken = made.map((column) => takeRows(column, runs));
    const passed = runs.rows === 0 ? null : writeBatch(runs.rows, taken);
    return { message: passed, rejected, kept: keep(batch.columns, rejections.marks) };
  }
}

function refuseDrift(output: string, { policy, columns }: Contract, changes: readonly ColumnChange[]): void {
  const refused =
    policy === "quarantine" ? [] : policy === "freeze" ? changes : changes.filter(({ kind }) => kind === "narrowed" || kind === "removed");
  if (refused.length === 0) return;
  throw driftFailure(output, changes, `its contract (${columns.length} columns, policy ${policy}) does not take that`);
}

function driftFailure(output: string, changes: readonly ColumnChange[], why: string): ContractDrift {
  const shown = changes.slice(0, 10).map(describeChange).join("; ") + (changes.length > 10 ? `; and ${changes.length - 10} more` : "");
  return new ContractDrift(changes, {
    code: "CONTRACT_DRIFT",
    message: `output ${output} has other columns than its contract: ${shown}; ${why}`,
    hint: `See casparian contract diff. Mend the plugin; or have the contract take it: casparian contract approve PLUGIN ${output} --last, or contract set PLUGIN ${output} --policy evolve; then retry the job`,
  });
}

/** The columns that came are not to be taken. */
export class ContractDrift extends TerminalFailure {
  readonly changes: readonly ColumnChange[];

  constructor(changes: readonly ColumnChange[], detail: FailureDetail) {
    super(detail);
    this.changes = changes;
  }
}

/** How a column of the contract is made of what came. */
interface Program {
  readonly field: ArrowField;
  /** Which of the columns that came; -1 for none. */
  readonly from: number;
  readonly cast: Cast | null;
  readonly checks: readonly Check[];
}

function programOf(
  column: ContractColumn,
  {
    fields,
    output,
    changes,
    unique,
  }: {
    readonly fields: readonly ArrowField[];
    readonly output: string;
    readonly changes: readonly ColumnChange[];
    readonly unique: UniqueCheck;
  },
): Program {
  const from = fields.findIndex(({ name }) => name === column.name);
  const given = fields[from];
  const checked = (field: ArrowField, cast: Cast | null): Program => {
    const named = { ...field, nullable: column.nullable };
    return { field: named, from, cast, checks: checksOf(named, column.nullable, column.checks, unique) };
  };
  const isEncoded = column.type.startsWith("dictionary<") && given !== undefined && haveSameValues(column.type, typeName(given));
  if (given !== undefined && (isEncoded || typeName(given) === column.type)) return checked(given, null);
  const type = parseType(valuesType(column.type));
  const field = type && { ...plainField(column.name, type, column.nullable), metadata: given?.metadata ?? [] };
  const cast = field && given ? castOf(given, field) : null;
  if (field === null || (given !== undefined && cast === null))
    throw driftFailure(output, changes, `no value of column ${column.name} can be made one of type ${column.type}`);
  return checked(field, cast);
}

function runProgram({ field, from, cast, checks }: Program, batch: Batch, refuse: (column: string) => Refuse): Column {
  const report = refuse(field.name);
  const given = batch.columns[from];
  const made = given === undefined ? nullColumn(field, batch.rows) : cast === null ? { ...given, field } : cast(given, report);
  for (const check of checks) check(made, report);
  return made;
}

function refuseValues(column: Column, refuse: (column: string) => Refuse): void {
  const report = refuse(column.field.name);
  const json = jsonReader(column);
  for (let row = 0; row < column.length; row += 1) {
    const value = json(row);
    if (value !== "null") report(row, `the contract has no such column, and its value is ${quoted(value)}`);
  }
}

/** Why each row of a batch is refused. A value that doesn't fit its type is null in what was made of it, which is no second reason. */
function createRejections(rows: number) {
  const marks = new Uint8Array(rows);
  const reasons = new Map<number, RejectionReason[]>();
  return {
    marks,
    refuse:
      (column: string): Refuse =>
      (row, reason, isRepeated = false) => {
        const found = reasons.get(row) ?? [];
        if (!isRepeated && found.some((other) => other.column === column)) return;
        found.push({ column, reason, ...(isRepeated && { isRepeated }) });
        marks[row] = 1;
        reasons.set(row, found);
      },
    rows({ columns }: Batch, rowsBefore: number): readonly RejectedRow[] {
      if (reasons.size === 0) return [];
      const members = columns.map((column) => [JSON.stringify(column.field.name), jsonReader(column)] as const);
      return [...reasons.keys()]
        .toSorted((a, b) => a - b)
        .map((row) => ({
          origin: "CONTRACT",
          rowNumber: rowsBefore + row + 1,
          filePosition: null,
          reasons: reasons.get(row)!,
          raw: `{${members.map(([name, json]) => `${name}:${json(row)}`).join(",")}}`,
        }));
    },
  };
}

function idOf({ bytes }: ArrowMessage): number {
  return dictionaryOf(openMessage(bytes).header).id;
}
