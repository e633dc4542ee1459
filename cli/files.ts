import { Command, Option } from "commander";
import { listFiles, type ListedFile } from "../control/list-files.ts";
import { groupings, mapUnmatched, type Grouping } from "../control/map-unmatched.ts";
import { withExamples } from "./examples.ts";
import { bytes, relativeTime, shortHash } from "./format.ts";
import { moreThan, parseCount } from "./parse-count.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";
import { describeMap } from "./unmatched.ts";

interface FilesOptions {
  readonly source?: string;
  readonly unmatched?: boolean;
  readonly by?: Grouping;
  readonly list?: boolean;
  readonly tag?: string;
  readonly limit?: number;
}

export function createCommand(shell: Shell): Command {
  const command = new Command("files")
    .description(
      "Lists the files on record, with their newest version and what became of it. With --unmatched it shows what no rule sends to a plugin, " +
        "by extension, folder, size and age, with the rule to add.",
    )
    .option("--source <name>", "only of this source")
    .option("--unmatched", "only files that no rule sends to a plugin, in groups")
    .addOption(new Option("--by <what>", "with --unmatched: group by this only").choices(groupings).implies({ unmatched: true }))
    .addOption(new Option("--list", "with --unmatched: each file by itself").implies({ unmatched: true }))
    .option("--tag <tag>", "only files that a rule gives this tag")
    .option("--limit <number>", "this many at most: 100 files, or 10 groups of a kind", parseCount)
    .action(async (options: FilesOptions) => {
      await withSession(shell, {}, async (session) => {
        if (options.unmatched === true && options.list !== true) {
          const map = await mapUnmatched(session, { ...options, limit: options.limit ?? (options.by === undefined ? 10 : 100) });
          return shell.terminal.show(map, () => describeMap(shell.terminal, map));
        }
        const limit = options.limit ?? 100;
        const { files, more } = await listFiles(session, { ...options, limit, unmatched: options.unmatched === true });
        shell.terminal.show(files, () => (files.length === 0 ? nothing(options) : renderTable(shell.terminal, fileColumns, files)));
        if (more) shell.terminal.note(moreThan(limit));
      });
    });
  return withExamples(command, {
    "casparian files --source inbox": "",
    "casparian files --unmatched": "what waits for a rule, in groups",
    "casparian files --unmatched --by folder --source inbox": "",
    "casparian files --unmatched --list": "each file that waits for a rule",
    "casparian files --tag trades": "",
    "casparian files --json --limit 100000": "for programs",
  });
}

function nothing({ unmatched, tag }: FilesOptions): string {
  if (tag !== undefined)
    return `No file${unmatched === true ? " without a plugin" : ""} has the tag ${tag}. casparian rule list shows the rules`;
  return unmatched === true ? "Every file goes to a plugin." : "No file on record. casparian scan looks for some";
}

const fileColumns: readonly Column<ListedFile>[] = [
  { title: "SOURCE", value: (file) => file.source },
  { title: "PATH", value: (file) => file.path, shorten: "middle" },
  {
    title: "STATE",
    value: ({ state, vanishedAt }) => (vanishedAt === null ? state : `${state} ${relativeTime(vanishedAt)}`),
    style: (file) => (file.state === "VANISHED" ? "dim" : null),
  },
  { title: "VERSIONS", value: (file) => String(file.versions), align: "right" },
  { title: "SIZE", value: (file) => bytes(file.sizeBytes), align: "right" },
  { title: "HASH", value: (file) => shortHash(file.contentHash) },
  { title: "DETECTED", value: (file) => relativeTime(file.detectedAt) },
  { title: "TAGS", value: (file) => file.tags.join(" "), shorten: "end", optional: true },
  { title: "JOBS", value: ({ jobs }) => describeJobs(jobs), style: ({ jobs }) => (jobs.FAILED === undefined ? null : "red") },
];

function describeJobs(jobs: ListedFile["jobs"]): string {
  const parts = Object.entries(jobs).map(([state, amount]) => (amount === 1 ? state : `${amount} ${state}`));
  return parts.length === 0 ? "none" : parts.join(", ");
}
