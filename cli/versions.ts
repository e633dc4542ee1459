import { Command } from "commander";
import { listVersions, type VersionWithJobs } from "../control/list-versions.ts";
import { withExamples } from "./examples.ts";
import { absoluteTime, bytes, printable, relativeTime } from "./format.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  const command = new Command("versions")
    .description("Lists all versions of a file: when it was found with which bytes, and which jobs read them.")
    .argument("<path>", "a file's path, or its path below its source")
    .option("--source <name>", "the source that it is of")
    .action(async (path: string, options: { readonly source?: string }) => {
      await withSession(shell, {}, async (session) => {
        const versions = await listVersions(session, { path, source: options.source });
        shell.terminal.show(versions, () => describe(shell, versions));
      });
    });
  return withExamples(command, { "casparian versions trades.csv": "", "casparian versions vendors/a.csv --source inbox": "" });
}

function describe(shell: Shell, versions: readonly VersionWithJobs[]): string {
  const { path, source, root, vanishedAt } = versions[0]!;
  const gone = vanishedAt === null ? "" : `, vanished ${relativeTime(vanishedAt)}`;
  return `${printable(path)} of source ${source} (${printable(root)})${gone}\n\n${renderTable(shell.terminal, columns, versions)}`;
}

const columns: readonly Column<VersionWithJobs>[] = [
  { title: "NUMBER", value: (version) => String(version.sequence), align: "right" },
  { title: "ID", value: (version) => version.id, align: "right" },
  { title: "HASH", value: (version) => version.contentHash, shorten: "end" },
  { title: "SIZE", value: (version) => bytes(version.sizeBytes), align: "right" },
  { title: "DETECTED", value: (version) => `${absoluteTime(version.detectedAt)} (${relativeTime(version.detectedAt)})` },
  {
    title: "JOBS",
    value: ({ jobs }) =>
      jobs.length === 0 ? "none" : jobs.map((job) => `${job.id} ${job.plugin} ${job.pluginVersion} ${job.state}`).join(", "),
    shorten: "end",
    style: ({ jobs }) => (jobs.some((job) => job.state === "FAILED") ? "red" : null),
  },
];
