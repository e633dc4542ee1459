import { Command, InvalidArgumentError } from "commander";
import { addSource, type AddedSource } from "../control/add-source.ts";
import { changeSource, type SourceChange } from "../control/change-source.ts";
import { readStatus, type SourceOverview } from "../control/read-status.ts";
import { withExamples } from "./examples.ts";
import { count, duration, number, printable, relativeTime } from "./format.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("source")
    .description("The folders that files come from.")
    .addCommand(addCommand(shell))
    .addCommand(listCommand(shell))
    .addCommand(changeCommand(shell, "pause", "stop scanning a source until it is resumed; what is queued goes on"))
    .addCommand(changeCommand(shell, "resume", "scan a paused source again"))
    .addCommand(changeCommand(shell, "remove", "forget a source; what is on record of its files stays"));
}

interface AddOptions {
  readonly settle?: number;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

function addCommand(shell: Shell): Command {
  const command = new Command("add")
    .summary("add a folder")
    .description(
      "Adds a folder whose files are taken, with all folders below it. Adding it again is fine, and changes the settings that are given.",
    )
    .argument("<name>", "a short name for it")
    .argument("<path>", "the folder")
    .option("--settle <seconds>", "how long a file must not have changed before it is taken (default: 2)", parseSeconds)
    .option("--include <globs...>", "take only files that match")
    .option("--exclude <globs...>", "leave out files and folders that match")
    .action(async (name: string, path: string, options: AddOptions) => {
      await withSession(shell, {}, async (session) => {
        const { home } = shell.settings();
        const settleMs = options.settle === undefined ? undefined : Math.round(options.settle * 1000);
        const { include, exclude } = options;
        const added = await addSource(session, { name, path, settleMs, include, exclude, ownFolders: [`${home}/output`] });
        shell.terminal.show(added, () => describeAdded(added));
      });
    });
  return withExamples(command, {
    "casparian source add inbox ./inbox": "",
    "casparian source add trades /mnt/vendor --include '*.csv'": "only CSV files",
    "casparian source add drops /mnt/drops --settle 30": "wait 30 s after a file's last change",
  });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !Number.isFinite(seconds) || seconds < 0 || seconds > 86_400)
    throw new InvalidArgumentError("Give seconds, from 0 to 86400.");
  return seconds;
}

function describeAdded({ outcome, source, warnings }: AddedSource): string {
  const path = printable(source.path);
  const done = {
    added: `Added source ${source.name}: ${path}`,
    changed: `Changed source ${source.name}: ${path}`,
    unchanged: `Source ${source.name} is there already: ${path}`,
  }[outcome];
  const lines = [done, ...warnings.map((warning) => `warning: ${printable(warning)}`)];
  return [...lines, `Next: casparian scan ${source.name} --wait, or casparian start`].join("\n");
}

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list the sources")
    .description("Lists the sources with their last scan.")
    .action(async () => {
      await withSession(shell, {}, async (session) => {
        const { sources } = await readStatus(session);
        shell.terminal.show(sources, () =>
          sources.length === 0
            ? "No source. Add a folder: casparian source add NAME PATH"
            : renderTable(shell.terminal, sourceColumns, sources),
        );
      });
    });
  return withExamples(command, { "casparian source list": "", "casparian source list --json": "for programs" });
}

/** How sources are listed, here and in `status`. */
export const sourceColumns: readonly Column<SourceOverview>[] = [
  { title: "SOURCE", value: (source) => source.name },
  { title: "PATH", value: (source) => source.path, shorten: "middle" },
  { title: "STATE", value: (source) => source.state, style: (source) => (source.state === "PAUSED" ? "yellow" : null) },
  { title: "FILES", value: (source) => number(source.filesPresent), align: "right" },
  { title: "WAITING", value: (source) => number(source.filesWaiting), align: "right" },
  {
    title: "FINDINGS",
    value: (source) => number(source.findings),
    align: "right",
    style: (source) => (source.findings > 0 ? "yellow" : null),
  },
  { title: "SETTLE", value: (source) => duration(source.settleMs / 1000), align: "right" },
  {
    title: "LAST SCAN",
    value: ({ lastScan }) => (lastScan === null ? "never" : `${lastScan.state} ${relativeTime(lastScan.finishedAt ?? lastScan.startedAt)}`),
    style: ({ lastScan }) => (lastScan?.state === "FAILED" ? "red" : null),
  },
];

function changeCommand(shell: Shell, change: SourceChange, summary: string): Command {
  const command = new Command(change)
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`)
    .argument("<name>", "the source's name")
    .action(async (name: string) => {
      await withSession(shell, {}, async (session) => {
        const changed = await changeSource(session, name, change);
        shell.terminal.show(changed, () => {
          const past = { pause: "paused", resume: "active", remove: "removed" }[change];
          const rules = changed.rulesRemoved === 0 ? "" : `; ${count(changed.rulesRemoved, "rule")} of its own went with it`;
          return `Source ${name} is ${past}${changed.changed ? "" : " already"}${rules}`;
        });
      });
    });
  return withExamples(command, { [`casparian source ${change} inbox`]: "" });
}
