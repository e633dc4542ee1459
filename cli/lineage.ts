import { resolve } from "node:path";
import { Command } from "commander";
import { traceLineage, type JobLineage, type LineageRequest, type VersionLineage } from "../control/lineage.ts";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { lineageColumns } from "../domain/lineage.ts";
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
    .argument("[path]", "a file of a source; or where rows are: a file that a plugin's output went to")
    .option("--file <path>", "all versions of this file")
    .option("--version <id>", "this version of a file")
    .option("--job <id>", "this job")
    .option("--row <columns...>", "a row: its lineage columns as name=value, or the row as JSON")
    .option("--source <name>", "with a file: the source that it is of")
    .action(async (path: string | undefined, options: LineageOptions) => {
      const request = parseRequest(path, options);
      await withSession(shell, {}, async (session) => {
        const traced = await traceLineage(session, request);
        shell.terminal.show(traced, () => traced.map((version) => describe(shell.terminal, version)).join("\n\n"));
      });
    });
  return withExamples(command, {
    "casparian lineage trades.csv": "what was made of each version of a file, and where the rows are",
    "casparian lineage --job 17": "what a job read, ran and wrote",
    "casparian lineage --row job=17": "where a row comes from",
    "casparian lineage --row _cf_job_id=17,_cf_source_hash=…": "contradictions are said",
    [`casparian lineage --row "$(casparian query 'from trades limit 1' --json)"`]: "",
    "casparian lineage output/trades/….parquet": "where a file of rows comes from",
  });
}

function parseRequest(place: string | undefined, { job, file, version, row, source }: LineageOptions): LineageRequest {
  const given = [place, job, file, version, row].filter((value) => value !== undefined).length;
  if (given !== 1) {
    const found = given === 0 ? "nothing to begin with is given" : "several things to begin with are given";
    throw new WrongUse(found, "Give one of --file PATH, --version ID, --job ID, --row name=value…, or a path");
  }
  if (source !== undefined && file === undefined && place === undefined) throw new WrongUse("--source goes with a file");
  if (place !== undefined) return { by: "place", target: /^[a-z]+:\/\//.test(place) ? place : resolve(place), path: place, source };
  if (job !== undefined) return { by: "job", id: job };
  if (version !== undefined) return { by: "version", id: version };
  if (file !== undefined) return { by: "file", path: file, source };
  return { by: "row", columns: parseRow(row!) };
}

/** Lineage columns as they are typed or pasted; of a row as JSON, the other columns are passed over. */
function parseRow(parts: readonly string[]): Readonly<Record<string, string>> {
  const text = parts.join(" ").trim();
  if (/^[[{]/.test(text)) return parseJsonRow(text);
  return Object.fromEntries(parts.flatMap((part) => part.split(/[,\s]+/).filter((column) => column !== "")).map(parseColumn));
}

function parseJsonRow(text: string): Readonly<Record<string, string>> {
  let row: unknown;
  try {
    const parsed = JSON.parse(text) as unknown;
    row = Array.isArray(parsed) && parsed.length === 1 ? parsed[0] : parsed;
  } catch (error) {
    throw new WrongUse(`the row is not JSON: ${messageOf(error)}`, `Give it as casparian query --json prints it, or as _cf_job_id=17`);
  }
  if (typeof row !== "object" || row === null || Array.isArray(row)) throw new WrongUse("the JSON is not one row", "Give one object");
  const columns = Object.entries(row).filter(([name, value]) => isLineageColumn(name) && value !== null);
  return Object.fromEntries(columns.map(([name, value]) => [name, String(value)]));
}

function isLineageColumn(name: string): boolean {
  return lineageColumns.some((column) => column === name);
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

function describeJob(terminal: Terminal, { job, artifact, outputs }: JobLineage, last: boolean): readonly string[] {
  const bar = last ? "   " : "│  ";
  const lines = [
    `${last ? "└─" : "├─"} job ${job.id}  ${terminal.paint(stateStyle(job.state) ?? "reset", job.state)}`,
    `${bar}│  code     ${job.plugin}@${job.pluginVersion}, artifact ${job.artifactHash}`,
    `${bar}│  source   sha256 ${artifact.sourceHash}, published by ${printable(artifact.publisher)}, ${absoluteTime(artifact.publishedAt)}`,
    `${bar}│  with     environment ${job.environmentHash}, Python ${artifact.python}`,
  ];
  if (job.replayOf !== null) lines.push(`${bar}│  replays  rows that job ${job.replayOf} set aside`);
  if (job.finishedAt !== null) lines.push(`${bar}│  ended    ${absoluteTime(job.finishedAt)}, attempt ${job.attempt}`);
  if (job.errorMessage !== null) lines.push(`${bar}│  error    ${job.errorCode}: ${printable(job.errorMessage)}`);
  if (outputs.length === 0) lines.push(`${bar}└─ no rows`);
  outputs.forEach((output, i) => {
    const end = i === outputs.length - 1;
    const inner = `${bar}${end ? "   " : "│  "}`;
    lines.push(`${bar}${end ? "└─" : "├─"} ${output.output}  ${rowsOf(output)} (${output.mode})`, `${inner}${printable(output.target)}`);
    if (output.replacedAt !== null) lines.push(`${inner}${terminal.paint("yellow", replacementOf(output))}`);
  });
  return lines;
}

type OutputLineage = JobLineage["outputs"][number];

function rowsOf({ state, rowsWritten, rowsQuarantined, rowsReplayed }: OutputLineage): string {
  const replayed = rowsReplayed === 0 ? "" : `, ${number(rowsReplayed)} of them replayed since`;
  const aside = rowsQuarantined === 0 ? "" : ` and ${number(rowsQuarantined)} set aside${replayed}`;
  if (state !== "COMMITTED") return `${number(rowsWritten)} rows ${state.toLowerCase()}${aside}`;
  return `${count(rowsWritten, "row")}${aside}`;
}

/** One that came after its successor was never to be seen. */
function replacementOf({ committedAt, replacedAt, replacedBy }: OutputLineage): string {
  if (committedAt?.getTime() === replacedAt?.getTime()) return `never seen, because the result of job ${replacedBy} was there`;
  return `replaced ${absoluteTime(replacedAt!)} by job ${replacedBy}; casparian query --as-of reads what was before`;
}
