import { resolve } from "node:path";
import { Command } from "commander";
import { traceLineage, type JobLineage, type LineageRequest, type VersionLineage } from "../control/lineage.ts";
import { WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { absoluteTime, bytes, count, number, printable } from "./format.ts";
import { stateStyle } from "./job-page.ts";
import { describePlace } from "./versions.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import type { Terminal } from "./terminal.ts";

interface LineageOptions {
  readonly job?: string;
  readonly file?: string;
  readonly version?: string;
  readonly row?: readonly string[];
  readonly source?: string;
}

export function createCommand(shell: Shell): Command {
  const command = new Command("lineage")
    .description("Which bytes and which code made which rows: from a file, a version, a job, a row or an output to all the others.")
    .argument("[output]", "where rows are: a file that a plugin's output went to")
    .option("--file <path>", "all versions of this file")
    .option("--version <id>", "this version of a file")
    .option("--job <id>", "this job")
    .option("--row <columns...>", "the lineage columns of a row, as name=value")
    .option("--source <name>", "with --file: the source that it is of")
    .action(async (output: string | undefined, options: LineageOptions) => {
      const request = parseRequest(output, options);
      await withSession(shell, {}, async (session) => {
        const traced = await traceLineage(session, request);
        shell.terminal.show(traced, () => traced.map((version) => describe(shell.terminal, version)).join("\n\n"));
      });
    });
  return withExamples(command, {
    "casparian lineage --file trades.csv": "what was made of each version of a file",
    "casparian lineage --job 17": "what a job read, ran and wrote",
    "casparian lineage --row _cf_job_id=17 _cf_source_hash=…": "where a row comes from; contradictions are said",
    "casparian lineage output/trades/….parquet": "where a file of rows comes from",
  });
}

function parseRequest(output: string | undefined, { job, file, version, row, source }: LineageOptions): LineageRequest {
  const given = [output, job, file, version, row].filter((value) => value !== undefined).length;
  if (given !== 1) {
    const found = given === 0 ? "nothing to begin with is given" : "several things to begin with are given";
    throw new WrongUse(found, "Give one of --file PATH, --version ID, --job ID, --row name=value…, or an output's path");
  }
  if (source !== undefined && file === undefined) throw new WrongUse("--source goes with --file");
  if (output !== undefined) return { by: "target", target: /^[a-z]+:\/\//.test(output) ? output : resolve(output) };
  if (job !== undefined) return { by: "job", id: job };
  if (version !== undefined) return { by: "version", id: version };
  if (file !== undefined) return { by: "file", path: file, source };
  return { by: "row", columns: Object.fromEntries(row!.map(parseColumn)) };
}

function parseColumn(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new WrongUse(`"${text}" is not a column with its value`, "Give it as _cf_job_id=17");
  return [text.slice(0, at), text.slice(at + 1)];
}

/** A version as a tree: its bytes, the jobs that read them, the rows that came out. */
function describe(terminal: Terminal, { version, jobs }: VersionLineage): string {
  const state = version.vanishedAt === null ? "" : `, vanished ${absoluteTime(version.vanishedAt)}`;
  const lines = [
    terminal.paint("bold", `${printable(version.path)}  version ${version.sequence}`),
    `│  source   ${version.source}: ${printable(version.root)}${state}`,
    `│  bytes    sha256 ${version.contentHash}, ${bytes(version.sizeBytes)}`,
    `│  version  ${version.id}, detected ${absoluteTime(version.detectedAt)}, modified ${absoluteTime(version.modifiedAt)}`,
  ];
  if (version.archive !== null) {
    const { path, sequence, versionId, contentHash } = version.archive;
    lines.push(`│  archive  ${printable(path)} version ${sequence} (${versionId}), sha256 ${contentHash}`);
  }
  if (version.movedFrom !== null) {
    lines.push(`│  moved    from ${describePlace(version.movedFrom, version.source)}, version ${version.movedFrom.id}`);
  }
  for (const moved of version.movedTo) lines.push(`│  moved    to ${describePlace(moved, version.source)}, version ${moved.id}`);
  if (jobs.length === 0) lines.push("└─ no job read it");
  jobs.forEach((job, i) => lines.push(...describeJob(terminal, job, i === jobs.length - 1)));
  return lines.join("\n");
}

function describeJob(terminal: Terminal, { job, outputs }: JobLineage, last: boolean): readonly string[] {
  const bar = last ? "   " : "│  ";
  const lines = [
    `${last ? "└─" : "├─"} job ${job.id}  ${terminal.paint(stateStyle(job.state) ?? "reset", job.state)}`,
    `${bar}│  code     ${job.plugin}@${job.pluginVersion}, artifact ${job.artifactHash}`,
    `${bar}│  with     environment ${job.environmentHash}`,
  ];
  if (job.finishedAt !== null) lines.push(`${bar}│  ended    ${absoluteTime(job.finishedAt)}, attempt ${job.attempt}`);
  if (job.errorMessage !== null) lines.push(`${bar}│  error    ${job.errorCode}: ${printable(job.errorMessage)}`);
  if (outputs.length === 0) lines.push(`${bar}└─ no rows`);
  outputs.forEach((output, i) => {
    const end = i === outputs.length - 1;
    const rows =
      output.state === "COMMITTED" ? count(output.rowsWritten, "row") : `${number(output.rowsWritten)} rows ${output.state.toLowerCase()}`;
    lines.push(
      `${bar}${end ? "└─" : "├─"} ${output.output}  ${rows} (${output.mode})`,
      `${bar}${end ? "   " : "│  "}${printable(output.target)}`,
    );
  });
  return lines;
}
