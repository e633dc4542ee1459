import { createRowSample, type RowSample, type SampledColumn } from "../arrow/row-sample.ts";
import type { PluginHandlers } from "../bridge/pool.ts";
import { createQuarantine, type Quarantine } from "../contracts/quarantine.ts";
import { createScreen, type Screen } from "../contracts/screen.ts";
import { asideOfNothing, createSetAside, setsAside } from "../contracts/set-aside.ts";
import type { ArrowMessage } from "../domain/arrow.ts";
import { describeChange, type Contract, type RejectedRow, type RejectedRows } from "../domain/contract.ts";

/** What one output of one file came to. */
export interface OutputTrial {
  readonly output: string;
  /** Of the rows that would be written; by a contract that casts, those of the contract. */
  readonly columns: readonly SampledColumn[];
  readonly rows: number;
  /** Of Arrow data that came. */
  readonly bytes: number;
  /** Values as text, column by column; null where there is none. */
  readonly first: readonly (readonly (string | null)[])[];
  /** How the columns that came differ from the contract's; null without a contract. */
  readonly changes: readonly string[] | null;
}

/** Rows of one output that would be set aside. */
export interface AsideTrial {
  readonly output: string;
  readonly rows: number;
  /** Most frequent first. */
  readonly reasons: readonly { readonly column: string | null; readonly reason: string; readonly rows: number }[];
  readonly first: readonly RejectedRow[];
}

/** Takes what a plugin yields for one file, past the contracts, and keeps what people want to see of it. */
export interface Taking {
  readonly handlers: PluginHandlers;
  /** Throws TerminalFailure for what would fail the job at its end. */
  finish(): void;
  outputs(): readonly OutputTrial[];
  setAside(): readonly AsideTrial[];
}

/** Is given all rows of an output that would be written, as they would be, and those that would be set aside. */
export interface RowKeeper {
  open(output: string, schema: ArrowMessage): Promise<void>;
  /** The bytes may be used until it resolves. */
  message(output: string, message: ArrowMessage): Promise<void>;
  setAside(output: string, rows: readonly RejectedRow[]): void;
}

interface OpenOutput {
  readonly screen: Screen | null;
  readonly sample: RowSample;
  received: number;
  bytes: number;
}

export function createTaking(options: {
  /** The plugin's output for what is yielded without a name. */
  readonly defaultOutput: string;
  /** By output. */
  readonly contracts: ReadonlyMap<string, Contract>;
  readonly rowsShown: number;
  readonly keeper?: RowKeeper | undefined;
}): Taking {
  const { contracts, rowsShown, keeper } = options;
  const open = new Map<string, OpenOutput>();
  const aside = new Map<string, { readonly output: string; readonly read: (message: ArrowMessage) => readonly RejectedRow[] }>();
  const asideRows = new Map<string, number>();
  const quarantines = new Map<string, Quarantine>();

  function quarantineOf(output: string): Quarantine {
    const known = quarantines.get(output) ?? createQuarantine(output, contracts.get(output) ?? { rowsMax: null, shareMax: null });
    quarantines.set(output, known);
    return known;
  }

  function putAside(output: string, rows: readonly RejectedRow[]): void {
    quarantineOf(output).add(rows, null);
    keeper?.setAside(output, rows);
  }

  async function take(output: string, message: ArrowMessage): Promise<void> {
    const from = aside.get(output);
    if (from !== undefined) {
      asideRows.set(from.output, (asideRows.get(from.output) ?? 0) + message.rows);
      return putAside(from.output, from.read(message));
    }
    const target = open.get(output)!;
    target.received += message.rows;
    target.bytes += message.bytes.byteLength;
    const passed = target.screen === null ? { message, rejected: [] } : target.screen.take(message);
    if (passed.rejected.length > 0) putAside(output, passed.rejected);
    if (passed.message === null) return;
    target.sample.take(passed.message);
    await keeper?.message(output, passed.message);
  }

  return {
    handlers: {
      async open(output, schema) {
        const from = setsAside(output, options.defaultOutput);
        if (from !== null) return void aside.set(output, { output: from, read: createSetAside(schema, output) });
        const contract = contracts.get(output);
        const screen = contract === undefined ? null : createScreen({ contract, output, schema });
        open.set(output, { screen, sample: createRowSample(screen?.schema ?? schema, rowsShown), received: 0, bytes: 0 });
        await keeper?.open(output, screen?.schema ?? schema);
      },
      message: take,
    },
    finish() {
      const homeless = [...asideRows].find(([output, rows]) => rows > 0 && !open.has(output));
      if (homeless !== undefined) throw asideOfNothing(homeless[0], "the plugin", [...open.keys()]);
      for (const [output, { received }] of open) quarantines.get(output)?.checkShare(received + (asideRows.get(output) ?? 0));
    },
    outputs: () =>
      [...open].map(([output, { screen, sample, bytes }]) => ({
        output,
        columns: sample.columns(),
        rows: sample.rows(),
        bytes,
        first: sample.first(),
        changes: screen === null ? null : screen.changes.map(describeChange),
      })),
    setAside: () =>
      [...quarantines]
        .map(([output, { rejected }]) => [output, rejected.rows.map(asRejected)] as const)
        .filter(([, rows]) => rows.length > 0)
        .map(([output, rows]) => ({ output, rows: rows.length, reasons: reasonsOf(rows), first: rows.slice(0, rowsShown) })),
  };
}

/** A trial keeps no pieces. */
function asRejected(row: RejectedRows["rows"][number]): RejectedRow {
  const { piece: _, ...rest } = row;
  return rest;
}

const reasonsMax = 20;

function reasonsOf(rows: readonly RejectedRow[]): AsideTrial["reasons"] {
  const counts = new Map<string, { readonly column: string | null; readonly reason: string; rows: number }>();
  for (const { column, reason } of rows.flatMap(({ reasons }) => reasons)) {
    const key = JSON.stringify([column, reason]);
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { column, reason, rows: 1 });
    else known.rows += 1;
  }
  return [...counts.values()].toSorted((a, b) => b.rows - a.rows).slice(0, reasonsMax);
}
