import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { Command } from "commander";
import {
  listQuarantine,
  readQuarantine,
  streamQuarantine,
  type QuarantineFilter,
  type QuarantineRow,
  type QuarantineSummary,
} from "../control/list-quarantine.ts";
import { WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { count, number, printable, relativeTime } from "./format.ts";
import { parseCount } from "./parse-count.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("quarantine")
    .description("Rows that were set aside, by a contract or by a plugin itself, with the reasons and the values as they came.")
    .addCommand(listCommand(shell))
    .addCommand(showCommand(shell))
    .addCommand(exportCommand(shell));
}

interface FilterOptions {
  readonly plugin?: string;
  readonly output?: string;
  readonly replaced?: boolean;
}

function withFilter(command: Command): Command {
  return command
    .option("--plugin <name>", "only of this plugin")
    .option("--output <name>", "only of this output")
    .option("--replaced", "also of results whose place others have taken");
}

function filterOf(options: FilterOptions, jobId?: string): QuarantineFilter {
  return { jobId, plugin: options.plugin, output: options.output, withReplaced: options.replaced ?? jobId !== undefined };
}

function listCommand(shell: Shell): Command {
  const command = withFilter(new Command("list").summary("list what was set aside, by job"))
    .option("--limit <number>", "at most so many", parseCount, 50)
    .action(async (options: FilterOptions & { readonly limit: number }) => {
      await withSession(shell, {}, async (session) => {
        const found = await listQuarantine(session, filterOf(options), options.limit);
        shell.terminal.show(found, () =>
          found.length === 0 ? "Nothing was set aside." : renderTable(shell.terminal, summaryColumns, found),
        );
      });
    });
  return withExamples(command, { "casparian quarantine list": "", "casparian quarantine list --plugin clean": "" });
}

const summaryColumns: readonly Column<QuarantineSummary>[] = [
  { title: "JOB", value: ({ jobId }) => jobId, align: "right" },
  { title: "PLUGIN", value: ({ plugin }) => plugin },
  { title: "OUTPUT", value: ({ output }) => output },
  { title: "PATH", value: ({ path }) => path, shorten: "middle" },
  { title: "ROWS", value: ({ rows }) => number(rows), align: "right" },
  { title: "OF", value: ({ rowsReceived }) => number(rowsReceived), align: "right" },
  { title: "WHEN", value: ({ quarantinedAt }) => relativeTime(quarantinedAt) },
  { title: "FIRST REASON", value: ({ reason }) => reasonText(reason), shorten: "end" },
];

function reasonText({ column, reason }: QuarantineRow["reasons"][number]): string {
  return column === null ? reason : `${column}: ${reason}`;
}

function showCommand(shell: Shell): Command {
  const command = withFilter(new Command("show").summary("show the rows that a job set aside"))
    .argument("<job>", "the job's id")
    .option("--limit <number>", "at most so many", parseCount, 50)
    .action(async (jobId: string, options: FilterOptions & { readonly limit: number }) => {
      await withSession(shell, {}, async (session) => {
        const rows = await readQuarantine(session, filterOf(options, jobId), options.limit + 1);
        const shown = rows.slice(0, options.limit);
        shell.terminal.show(shown.map(asObject), () =>
          shown.length === 0 ? `Job ${jobId} has set nothing aside.` : renderTable(shell.terminal, rowColumns, shown),
        );
        if (rows.length > shown.length)
          shell.terminal.note(`There are more: --limit ${options.limit * 10}, or casparian quarantine export`);
      });
    });
  return withExamples(command, { "casparian quarantine show 17": "", "casparian quarantine show 17 --json": "" });
}

const rowColumns: readonly Column<QuarantineRow>[] = [
  { title: "OUTPUT", value: ({ output }) => output },
  { title: "ROW", value: ({ rowNumber }) => number(rowNumber), align: "right" },
  { title: "POSITION", value: ({ filePosition }) => filePosition ?? "", optional: true },
  { title: "BY", value: ({ origin, contractVersion }) => (origin === "PLUGIN" ? "plugin" : `contract ${contractVersion}`) },
  { title: "REASONS", value: ({ reasons }) => reasons.map(reasonText).join("; "), shorten: "end" },
  { title: "VALUES", value: ({ raw }) => printable(raw), shorten: "end" },
];

/** The values stay text in JSON, because their numbers may be longer than those of its readers. */
function asObject(row: QuarantineRow): Readonly<Record<string, unknown>> {
  const { id: _, ...rest } = row;
  return rest;
}

interface ExportOptions extends FilterOptions {
  readonly job?: string;
  readonly format: string;
}

function exportCommand(shell: Shell): Command {
  const command = withFilter(new Command("export").summary("write what was set aside to a file"))
    .description("Writes all rows that were set aside, with reasons, values and lineage, to a file or to stdout.")
    .argument("[file]", "the file; stdout unless given")
    .option("--job <id>", "only of this job")
    .option("--format <format>", "csv or jsonl", "csv")
    .action(async (file: string | undefined, options: ExportOptions) => {
      const format = options.format === "csv" ? csvFormat : options.format === "jsonl" ? jsonlFormat : null;
      if (format === null) throw new WrongUse(`unknown format "${options.format}"`, "Formats are csv and jsonl");
      await withSession(shell, {}, async (session) => {
        const target = file === undefined ? process.stdout : createWriteStream(file, { flags: "wx" });
        if (file !== undefined) await once(target, "open");
        let rows = 0;
        target.write(format.head);
        for await (const page of streamQuarantine(session, filterOf(options, options.job))) {
          rows += page.length;
          if (!target.write(page.map(format.line).join(""))) await once(target, "drain");
        }
        if (file === undefined) return;
        target.end();
        await finished(target);
        shell.terminal.note(`${count(rows, "row")} to ${file}`);
      });
    });
  return withExamples(command, {
    "casparian quarantine export bad.csv --job 17": "",
    "casparian quarantine export --format jsonl | jq .reasons": "",
  });
}

const exported = [
  "jobId",
  "plugin",
  "pluginVersion",
  "output",
  "source",
  "path",
  "fileVersionId",
  "sequence",
  "contentHash",
  "contractVersion",
  "origin",
  "rowNumber",
  "filePosition",
  "quarantinedAt",
] as const satisfies readonly (keyof QuarantineRow)[];

const jsonlFormat = {
  head: "",
  // The values are JSON already, with all their digits.
  line: (row: QuarantineRow): string => {
    const facts = Object.fromEntries(exported.map((name) => [name, row[name]]));
    return `${JSON.stringify({ ...facts, reasons: row.reasons }).slice(0, -1)},"raw":${row.raw}}\n`;
  },
};

const csvFormat = {
  head: `${[...exported, "reasons", "raw"].join(",")}\n`,
  line: (row: QuarantineRow): string =>
    `${[...exported.map((name) => row[name]), row.reasons.map(reasonText).join("; "), row.raw].map(csvField).join(",")}\n`,
};

/** RFC 4180, with plain line ends; null is an empty field. */
function csvField(value: string | number | Date | null): string {
  if (value === null) return "";
  const text = value instanceof Date ? value.toISOString() : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
