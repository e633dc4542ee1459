import { Command } from "commander";
import { listMembers, listVersions, type VersionRow, type VersionWithJobs } from "../control/list-versions.ts";
import { saveVersion, type SavedVersion } from "../control/save-version.ts";
import { WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { absoluteTime, bytes, count, printable, relativeTime, shortHash } from "./format.ts";
import { parseCount } from "./parse-count.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

interface VersionsOptions {
  readonly source?: string;
  readonly save?: number;
  readonly force?: boolean;
}

export function createCommand(shell: Shell): Command {
  const command = new Command("versions")
    .description(
      "Lists all versions of a file: when it was found with which bytes, where it moved from, whether there is a copy, and which jobs read them; " +
        "of an archive, also its members. With --save it writes the content of one of them to FILE.",
    )
    .argument("<path>", "a file's path, or its path below its source")
    .argument("[file]", "where --save writes to: a file, or a folder")
    .option("--source <name>", "the source that it is of")
    .option("--save <number>", "give the content of this version back, checked by its hash", parseCount)
    .option("--force", "overwrite the file that is there")
    .action(async (path: string, file: string | undefined, { source, save, force }: VersionsOptions) => {
      if (save !== undefined && file === undefined) {
        throw new WrongUse("no file is named to save to", `casparian versions ${path} --save ${save} FILE`);
      }
      if (save === undefined && file !== undefined) {
        throw new WrongUse(`which version is to be saved to ${file}?`, `casparian versions ${path} --save NUMBER ${file}`);
      }
      await withSession(shell, {}, async (session) => {
        const request = { path, source, stateDir: shell.settings().stateDir };
        if (save !== undefined) {
          const { signal } = shell;
          const saved = await saveVersion(session, { ...request, sequence: save, to: file!, force: force === true, signal });
          return shell.terminal.show(saved, () => describeSaved(saved));
        }
        const versions = await listVersions(session, request);
        const isArchive = versions.some((version) => version.opening !== null);
        const members = isArchive && !shell.terminal.json ? await listMembers(session, { path, source }) : [];
        shell.terminal.show(versions, () => describe(shell, versions, members));
      });
    });
  return withExamples(command, {
    "casparian versions trades.csv": "",
    "casparian versions vendors/a.csv --source inbox": "",
    "casparian versions 'drop.zip!/inner.csv'": "a member of an archive",
    "casparian versions trades.csv --save 2 old.csv": "the bytes of version 2",
  });
}

function describeSaved({ version, savedTo, from }: SavedVersion): string {
  const { sequence, path, sizeBytes, contentHash } = version;
  return `Version ${sequence} of ${printable(path)} (${bytes(sizeBytes)}, ${shortHash(contentHash)}) is in ${printable(savedTo)}, from ${printable(from)}`;
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
  { title: "COPY", value: ({ copy }) => copy ?? "–" },
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
