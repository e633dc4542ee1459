import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { finished } from "node:stream/promises";
import { Command } from "commander";
import { exportedColumns, exportedTexts, quarantineIntoParquet } from "../control/export-quarantine.ts";
import { streamQuarantine, type QuarantineFilter, type QuarantineRow } from "../control/list-quarantine.ts";
import { WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { count } from "./format.ts";
import { filterOf, reasonText, withFilter, type FilterOptions } from "./quarantine-filter.ts";
import { csvLine } from "./row-text.ts";
import { withSession, type Session } from "./session.ts";
import type { Shell } from "./shell.ts";

interface ExportOptions extends FilterOptions {
  readonly job?: string;
  readonly format?: string;
}

const formats = ["csv", "jsonl", "parquet"] as const;
type Format = (typeof formats)[number];

export function exportCommand(shell: Shell): Command {
  const command = withFilter(new Command("export").summary("write what was set aside to a file"))
    .description("Writes all rows that were set aside, with reasons, values and lineage, to a file or to stdout.")
    .argument("[file]", "the file; stdout unless given")
    .option("--job <id>", "only of this job")
    .option("--format <format>", `${formats.join(", ")} (default: what FILE's name says, else csv)`)
    .action(async (file: string | undefined, options: ExportOptions) => {
      const format = formatOf(file, options.format);
      await withSession(shell, {}, async (session) => {
        const filter = filterOf(options, options.job);
        const write = format === "parquet" ? writeParquet : writeText;
        const rows = await write(session, filter, file, format);
        if (file !== undefined) shell.terminal.note(`${count(rows, "row")} to ${file}`);
      });
    });
  return withExamples(command, {
    "casparian quarantine export bad.csv --job 17": "",
    "casparian quarantine export bad.parquet --open": "",
    "casparian quarantine export --format jsonl | jq .reasons": "",
  });
}

function formatOf(file: string | undefined, format: string | undefined): Format {
  const named = extname(file ?? "")
    .slice(1)
    .toLowerCase();
  const chosen = formats.find((candidate) => candidate === (format ?? named)) ?? (format === undefined ? "csv" : null);
  if (chosen === null) throw new WrongUse(`unknown format "${format}"`, `Formats are ${formats.join(", ")}`);
  if (chosen === "parquet" && file === undefined)
    throw new WrongUse("Parquet goes to a file", "Name one: casparian quarantine export bad.parquet");
  return chosen;
}

/** The file is there, and empty, until it is whole. */
async function writeParquet(session: Session, filter: QuarantineFilter, file = ""): Promise<number> {
  const path = resolve(file);
  await (await open(path, "wx")).close();
  try {
    const rows = await quarantineIntoParquet(session, filter, `${path}.part`);
    await rename(`${path}.part`, path);
    return rows;
  } catch (error) {
    await Promise.all([rm(path, { force: true }), rm(`${path}.part`, { force: true })]);
    throw error;
  }
}

async function writeText(session: Session, filter: QuarantineFilter, file: string | undefined, format: Format): Promise<number> {
  const { head, line } = format === "csv" ? csvFormat : jsonlFormat;
  const target = file === undefined ? process.stdout : createWriteStream(file, { flags: "wx" });
  if (file !== undefined) await once(target, "open");
  let rows = 0;
  target.write(head);
  for await (const page of streamQuarantine(session, filter)) {
    rows += page.length;
    if (!target.write(page.map(line).join(""))) await once(target, "drain");
  }
  if (file === undefined) return rows;
  target.end();
  await finished(target);
  return rows;
}

const jsonlFormat = {
  head: "",
  // The values are JSON already, with all their digits.
  line: (row: QuarantineRow): string => {
    const facts = Object.fromEntries(exportedColumns.map((name) => [name, row[name]]));
    return `${JSON.stringify({ ...facts, reasons: row.reasons }).slice(0, -1)},"raw":${row.raw}}\n`;
  },
};

const csvFormat = {
  head: `${csvLine([...exportedColumns, "reasons", "raw"])}\n`,
  line: (row: QuarantineRow): string => `${csvLine([...exportedTexts(row), row.reasons.map(reasonText).join("; "), row.raw])}\n`,
};
