import { Command } from "commander";
import { addSource, type AddedSource, type AddSourceRequest } from "../control/add-source.ts";
import { changeSource, type SourceChange } from "../control/change-source.ts";
import { findSource } from "../control/find-source.ts";
import { withOutlook, type ScanOutlook } from "../control/schedules/next-scans.ts";
import { readStatus, type SourceOverview } from "../control/read-status.ts";
import { withExamples } from "./examples.ts";
import { count, duration, number, printable, relativeTime } from "./format.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { chosenSettings, describeSettings, withSettingOptions, type SettingOptions } from "./source-settings.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("source")
    .description("The folders that files come from.")
    .addCommand(addCommand(shell))
    .addCommand(setCommand(shell))
    .addCommand(listCommand(shell))
    .addCommand(showCommand(shell))
    .addCommand(changeCommand(shell, "pause", "stop scanning a source until it is resumed; what is queued goes on"))
    .addCommand(changeCommand(shell, "resume", "scan a paused source again"))
    .addCommand(changeCommand(shell, "remove", "forget a source; what is on record of its files stays"));
}

function addCommand(shell: Shell): Command {
  const command = withSettingOptions(new Command("add"))
    .summary("add a folder")
    .description(
      "Adds a folder whose files are taken, with all folders below it. Adding it again is fine, and changes the settings that are given.",
    )
    .argument("<name>", "a short name for it")
    .argument("<path>", "the folder")
    .action((name: string, path: string, options: SettingOptions) => add(shell, { name, path, settings: chosenSettings(options) }));
  return withExamples(command, {
    "casparian source add inbox ./inbox": "",
    "casparian source add trades /mnt/vendor --include '*.csv'": "only CSV files",
    "casparian source add drops /mnt/drops --settle 30s --every 1m": "wait 30 s after a file's last change, look each minute",
  });
}

function setCommand(shell: Shell): Command {
  const command = withSettingOptions(new Command("set"))
    .summary("change what is chosen for a source")
    .description("Changes the settings that are given; the others stay. It holds from the next scan on.")
    .argument("<name>", "the source's name")
    .action((name: string, options: SettingOptions) => add(shell, { name, settings: chosenSettings(options) }));
  return withExamples(command, {
    "casparian source set inbox --every 1m": "",
    "casparian source set inbox --cron '0 6 * * 1-5'": "at six on working days, instead of an interval",
    "casparian source set inbox --max-size none": "take the limit away",
  });
}

async function add(shell: Shell, request: Omit<AddSourceRequest, "ownFolders">): Promise<void> {
  await withSession(shell, {}, async (session) => {
    const added = await addSource(session, { ...request, ownFolders: [`${shell.settings().home}/output`] });
    shell.terminal.show(added, () => describeAdded(added));
  });
}

function showCommand(shell: Shell): Command {
  const command = new Command("show")
    .summary("show a source's settings")
    .description("Shows what is chosen for a source.")
    .argument("<name>", "the source's name")
    .action(async (name: string) => {
      await withSession(shell, { temporal: "if-running" }, async (session) => {
        const [source] = await withOutlook([await findSource(session.db, name)], session.temporal);
        shell.terminal.show(source, () => {
          const facts = [...describeSettings(source!), ["next scan", describeNext(source!)] as const];
          const lines = facts.map(([title, value]) => `  ${title.padEnd(12)} ${printable(value)}`);
          return [`${source!.name}: ${printable(source!.path)} (${source!.state.toLowerCase()})`, ...lines].join("\n");
        });
      });
    });
  return withExamples(command, { "casparian source show inbox": "" });
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
      await withSession(shell, { temporal: "if-running" }, async (session) => {
        const sources = await withOutlook((await readStatus(session)).sources, session.temporal);
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
export const sourceColumns: readonly Column<SourceOverview & ScanOutlook>[] = [
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
  { title: "NEXT SCAN", value: describeNext, style: ({ state, workers }) => (workers === 0 && state === "ACTIVE" ? "red" : null) },
];

/** When the whole folder is looked at next, or what keeps it from that. */
function describeNext(source: Pick<SourceOverview, "everyMs" | "cron" | "workerGroup"> & ScanOutlook & { state: string }): string {
  if (source.state === "PAUSED") return "when resumed";
  if (source.workers === 0) return `no worker${source.workerGroup === null ? "" : ` of group ${source.workerGroup}`}`;
  if (source.everyMs === null && source.cron === null) return "on request";
  // Temporal starts the scans that are due, and nobody else does.
  if (source.nextScanAt === null) return source.workers === null ? "once casparian start runs" : "not scheduled yet";
  return new Date(source.nextScanAt).getTime() <= Date.now() ? "now" : relativeTime(source.nextScanAt);
}

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
