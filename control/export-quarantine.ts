import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine } from "../query/engine.ts";
import { identifier } from "../query/identifier.ts";
import { writeParquet } from "../query/statement.ts";
import { loadTexts } from "../query/text-table.ts";
import type { ControlContext } from "./context.ts";
import { streamQuarantine, type QuarantineFilter, type QuarantineRow } from "./list-quarantine.ts";

/** What an export says of each row, before reasons and values, and as what Parquet has it. */
export const exportedColumns = {
  jobId: "bigint",
  plugin: "varchar",
  pluginVersion: "varchar",
  output: "varchar",
  source: "varchar",
  path: "varchar",
  fileVersionId: "bigint",
  sequence: "integer",
  contentHash: "varchar",
  contractVersion: "integer",
  origin: "varchar",
  rowNumber: "bigint",
  filePosition: "varchar",
  quarantinedAt: "timestamptz",
  replayedBy: "bigint",
} as const satisfies Partial<Record<keyof QuarantineRow, string>>;

const names = Object.keys(exportedColumns) as readonly (keyof typeof exportedColumns)[];

/**
 * Writes rows that were set aside to a Parquet file: lineage, the reasons as a list of structs of `column` and `reason`, and the values as JSON in
 * the column `raw`, because rows of different outputs have different columns. Returns how many.
 */
export async function quarantineIntoParquet(context: ControlContext, filter: QuarantineFilter, file: string): Promise<number> {
  const scratch = await mkdtemp(join(tmpdir(), "casparian-export-"));
  const engine = await openEngine({ scratch });
  try {
    const rows = await loadTexts(engine, "quarantine", [...names, "reasons", "raw"], textsOf(context, filter));
    const typed = names.map((name) => `${identifier(name)}::${exportedColumns[name]} as ${identifier(name)}`);
    const reasons = `from_json(reasons, '[{"column": "VARCHAR", "reason": "VARCHAR"}]') as reasons`;
    await writeParquet(engine, `select ${[...typed, reasons, "raw"].join(", ")} from quarantine`, file);
    return rows;
  } finally {
    engine[Symbol.dispose]();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function* textsOf(context: ControlContext, filter: QuarantineFilter): AsyncGenerator<readonly (readonly (string | null)[])[]> {
  for await (const page of streamQuarantine(context, filter)) {
    yield page.map((row) => [...names.map((name) => textOf(row[name])), JSON.stringify(row.reasons), row.raw]);
  }
}

function textOf(value: string | number | Date | null): string | null {
  if (value === null) return null;
  return value instanceof Date ? value.toISOString() : String(value);
}
