import { Command } from "commander";
import { listQuarantine, readQuarantine, type QuarantineRow, type QuarantineSummary } from "../control/list-quarantine.ts";
import { withExamples } from "./examples.ts";
import { number, printable, relativeTime } from "./format.ts";
import { moreThan, parseCount } from "./parse-count.ts";
import { exportCommand } from "./quarantine-export.ts";
import { filterOf, reasonText, withFilter, type FilterOptions } from "./quarantine-filter.ts";
import { replayCommand } from "./quarantine-replay.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("quarantine")
    .description("Rows that were set aside, by a contract or by a plugin itself, with the reasons and the values as they came.")
    .addCommand(listCommand(shell))
    .addCommand(showCommand(shell))
    .addCommand(exportCommand(shell))
    .addCommand(replayCommand(shell));
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
  return withExamples(command, { "casparian quarantine list": "", "casparian quarantine list --open": "what no replay has brought back" });
}

const summaryColumns: readonly Column<QuarantineSummary>[] = [
  { title: "JOB", value: ({ jobId }) => jobId, align: "right" },
  { title: "PLUGIN", value: ({ plugin }) => plugin },
  { title: "OUTPUT", value: ({ output }) => output },
  { title: "PATH", value: ({ path }) => path, shorten: "middle" },
  { title: "ROWS", value: ({ rows }) => number(rows), align: "right" },
  { title: "OPEN", value: ({ rowsOpen }) => number(rowsOpen), align: "right" },
  { title: "OF", value: ({ rowsReceived }) => number(rowsReceived), align: "right" },
  { title: "WHEN", value: ({ quarantinedAt }) => relativeTime(quarantinedAt) },
  { title: "FIRST REASON", value: ({ reason }) => reasonText(reason), shorten: "end" },
];

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
          shell.terminal.note(`${moreThan(options.limit)}, or casparian quarantine export FILE --job ${jobId}`);
      });
    });
  return withExamples(command, { "casparian quarantine show 17": "", "casparian quarantine show 17 --json": "" });
}

const rowColumns: readonly Column<QuarantineRow>[] = [
  { title: "OUTPUT", value: ({ output }) => output },
  { title: "ROW", value: ({ rowNumber }) => number(rowNumber), align: "right" },
  { title: "POSITION", value: ({ filePosition }) => filePosition ?? "", optional: true },
  { title: "BY", value: ({ origin, contractVersion }) => (origin === "PLUGIN" ? "plugin" : `contract ${contractVersion}`) },
  { title: "REPLAYED", value: ({ replayedBy }) => (replayedBy === null ? "" : `job ${replayedBy}`), optional: true },
  { title: "REASONS", value: ({ reasons }) => reasons.map(reasonText).join("; "), shorten: "end" },
  { title: "VALUES", value: ({ raw }) => printable(raw), shorten: "end" },
];

/** The values stay text in JSON, because their numbers may be longer than those of its readers. */
function asObject(row: QuarantineRow): Readonly<Record<string, unknown>> {
  const { id: _, ...rest } = row;
  return rest;
}
