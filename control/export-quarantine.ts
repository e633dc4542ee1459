import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identifier } from "../query/identifier.ts";
import { loadTexts } from "../query/text-table.ts";
import type { ControlContext } from "./context.ts";
import { streamQuarantine, type QuarantineFilter, type QuarantineRow } from "./list-quarantine.ts";

/** What an export says of each row, before reasons and values, and as what Parquet has it. */
const columnTypes = {
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

export const exportedColumns = Object.keys(columnTypes) as readonly (keyof typeof columnTypes)[];

/** Their values, in that order; null where there is none. */
export function exportedTexts(row: QuarantineRow): readonly (string | null)[] {
  return exportedColumns.map((name) => textOf(row[name]));
}

/**
 * Writes rows that were set aside to a Parquet file: lineage, the reasons as a list of structs of `column` and `reason`, and the values as JSON in
 * the column `raw`, because rows of different outputs have different columns. Returns how many.
 */
export async function quarantineIntoParquet(context: ControlContext, filter: QuarantineFilter, file: string): Promise<number> {
  // Only here, because DuckDB is large and the other commands on the quarantine have no use for it.
  const [{ openEngine }, { writeParquet }] = await Promise.all([import("../query/engine.ts"), import("../query/statement.ts")]);
  const scratch = await mkdtemp(join(tmpdir(), "casparian-export-"));
  const engine = await openEngine({ scratch });
  try {
    const rows = await loadTexts(engine, "quarantine", [...exportedColumns, "reasons", "raw"], textsOf(context, filter));
    const typed = exportedColumns.map((name) => `${identifier(name)}::${columnTypes[name]} as ${identifier(name)}`);
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
    yield page.map((row) => [...exportedTexts(row), JSON.stringify(row.reasons), row.raw]);
  }
}

function textOf(value: string | number | Date | null): string | null {
  if (value === null) return null;
  return value instanceof Date ? value.toISOString() : String(value);
}
