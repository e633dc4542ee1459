import { Command } from "commander";
import { listMembers, listVersions, type VersionRow, type VersionWithJobs } from "../control/list-versions.ts";
import { withExamples } from "./examples.ts";
import { absoluteTime, bytes, count, printable, relativeTime, shortHash } from "./format.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  const command = new Command("versions")
    .description(
      "Lists all versions of a file: when it was found with which bytes, where it moved from, and which jobs read them; of an archive, also its members.",
    )
    .argument("<path>", "a file's path, or its path below its source")
    .option("--source <name>", "the source that it is of")
    .action(async (path: string, options: { readonly source?: string }) => {
      await withSession(shell, {}, async (session) => {
        const versions = await listVersions(session, { path, source: options.source });
        const isArchive = versions.some((version) => version.opening !== null);
        const members = isArchive && !shell.terminal.json ? await listMembers(session, { path, source: options.source }) : [];
        shell.terminal.show(versions, () => describe(shell, versions, members));
      });
    });
  return withExamples(command, {
    "casparian versions trades.csv": "",
    "casparian versions vendors/a.csv --source inbox": "",
    "casparian versions 'drop.zip!/inner.csv'": "a member of an archive",
  });
}

function describe(shell: Shell, versions: readonly VersionWithJobs[], members: readonly VersionRow[]): string {
  const { path, source, root, vanishedAt } = versions[0]!;
  const gone = vanishedAt === null ? "" : `, vanished ${absoluteTime(vanishedAt)} (${relativeTime(vanishedAt)})`;
  const head = [`${printable(path)} of source ${source} (${printable(root)})${gone}`, ...describeMoves(versions)];
  const parts = [head.join("\n"), renderTable(shell.terminal, columns, versions)];
  const refused = versions.filter(({ opening }) => opening?.state === "REFUSED");
  if (refused.length > 0)
    parts.push(refused.map(({ sequence, opening }) => `version ${sequence}: ${printable(opening!.message!)}`).join("\n"));
  if (members.length > 0) parts.push(renderTable(shell.terminal, memberColumns, members));
  return parts.join("\n\n");
}

function describeMoves(versions: readonly VersionWithJobs[]): readonly string[] {
  return versions.flatMap(({ sequence, source, movedFrom, movedTo }) => [
    ...(movedFrom === null ? [] : [`version ${sequence} moved from ${describePlace(movedFrom, source)}`]),
    ...movedTo.map((moved) => `version ${sequence} moved to ${describePlace(moved, source)}`),
  ]);
}

/** The path of another file, with its source where that is another one. */
export function describePlace({ path, source }: VersionWithJobs["movedTo"][number], here: string): string {
  return `${printable(path)}${source === here ? "" : ` of source ${source}`}`;
}

const columns: readonly Column<VersionWithJobs>[] = [
  { title: "NUMBER", value: (version) => String(version.sequence), align: "right" },
  { title: "ID", value: (version) => version.id, align: "right" },
  { title: "HASH", value: (version) => version.contentHash, shorten: "end" },
  { title: "SIZE", value: (version) => bytes(version.sizeBytes), align: "right" },
  { title: "DETECTED", value: (version) => `${absoluteTime(version.detectedAt)} (${relativeTime(version.detectedAt)})` },
  { title: "ARCHIVE", value: describeArchive, shorten: "middle", optional: true },
  {
    title: "JOBS",
    value: ({ jobs }) =>
      jobs.length === 0 ? "none" : jobs.map((job) => `${job.id} ${job.plugin} ${job.pluginVersion} ${job.state}`).join(", "),
    shorten: "end",
    style: ({ jobs }) => (jobs.some((job) => job.state === "FAILED") ? "red" : null),
  },
];

/** Of a member: where its bytes come from; of an archive: what became of it. */
function describeArchive({ archive, opening }: VersionRow): string {
  if (archive !== null) return `${archive.path} version ${archive.sequence}`;
  switch (opening?.state) {
    case "OPENED":
      return count(opening.members ?? 0, "member");
    case "REFUSED":
      return "refused";
    case "WAITING":
      return "to be opened by the next scan";
    case "REPLACED":
      return "replaced before it was opened";
    default:
      return "";
  }
}

const memberColumns: readonly Column<VersionRow>[] = [
  { title: "MEMBER", value: (member) => member.path, shorten: "middle" },
  { title: "STATE", value: (member) => member.state, style: (member) => (member.state === "VANISHED" ? "dim" : null) },
  { title: "VERSIONS", value: (member) => String(member.sequence), align: "right" },
  { title: "SIZE", value: (member) => bytes(member.sizeBytes), align: "right" },
  { title: "HASH", value: (member) => shortHash(member.contentHash) },
];
