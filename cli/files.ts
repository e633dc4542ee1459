import { Command } from "commander";
import { listFiles, type FileRow } from "../control/list-files.ts";
import { withExamples } from "./examples.ts";
import { bytes, relativeTime, shortHash } from "./format.ts";
import { parseCount } from "./parse-count.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

interface FilesOptions {
  readonly source?: string;
  readonly unmatched?: boolean;
  readonly limit: number;
}

export function createCommand(shell: Shell): Command {
  const command = new Command("files")
    .description("Lists the files on record, with their newest version and what became of it.")
    .option("--source <name>", "only of this source")
    .option("--unmatched", "only files that no rule sends to a plugin")
    .option("--limit <number>", "this many at most", parseCount, 100)
    .action(async (options: FilesOptions) => {
      await withSession(shell, {}, async (session) => {
        const { files, more } = await listFiles(session, { ...options, unmatched: options.unmatched === true });
        shell.terminal.show(files, () => (files.length === 0 ? nothing(options) : renderTable(shell.terminal, fileColumns, files)));
        if (more) shell.terminal.note(`There are more: --limit ${options.limit * 10}`);
      });
    });
  return withExamples(command, {
    "casparian files --source inbox": "",
    "casparian files --unmatched": "files that wait for a rule",
    "casparian files --json --limit 100000": "for programs",
  });
}

function nothing({ unmatched }: FilesOptions): string {
  return unmatched === true ? "Every file goes to a plugin." : "No file on record. casparian scan looks for some";
}

const fileColumns: readonly Column<FileRow>[] = [
  { title: "SOURCE", value: (file) => file.source },
  { title: "PATH", value: (file) => file.path, shorten: "middle" },
  { title: "STATE", value: (file) => file.state, style: (file) => (file.state === "VANISHED" ? "dim" : null) },
  { title: "VERSIONS", value: (file) => String(file.versions), align: "right" },
  { title: "SIZE", value: (file) => bytes(file.sizeBytes), align: "right" },
  { title: "HASH", value: (file) => shortHash(file.contentHash) },
  { title: "DETECTED", value: (file) => relativeTime(file.detectedAt) },
  { title: "JOBS", value: ({ jobs }) => describeJobs(jobs), style: ({ jobs }) => (jobs.FAILED === undefined ? null : "red") },
];

function describeJobs(jobs: FileRow["jobs"]): string {
  const parts = Object.entries(jobs).map(([state, amount]) => (amount === 1 ? state : `${amount} ${state}`));
  return parts.length === 0 ? "none" : parts.join(", ");
}
