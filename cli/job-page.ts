import type { JobState } from "../domain/job-state.ts";
import type { JobDetail } from "../control/show-job.ts";
import { absoluteTime, bytes, count, duration, number, printable, relativeTime } from "./format.ts";
import type { TemporalPlace } from "./session.ts";
import { renderTable, type Column } from "./table.ts";
import type { Style, Terminal } from "./terminal.ts";

/** A job on one page: what it reads, what runs, what came out, what went wrong. */
export function describeJob(terminal: Terminal, detail: JobDetail, url: string | null): string {
  const { job, version, attempts, outputs, replays, workflowId } = detail;
  const facts: readonly (readonly [string, string])[] = [
    ["file", `${version.path} of source ${version.source} (${version.root}/${version.path})`],
    [
      "version",
      `${version.id}, number ${version.sequence} of this file, ${bytes(version.sizeBytes)}, detected ${absoluteTime(version.detectedAt)}`,
    ],
    ["hash", version.contentHash],
    ["plugin", `${job.plugin} ${job.pluginVersion}${job.pluginState === "ACTIVE" ? "" : ` (${job.pluginState.toLowerCase()})`}`],
    ["replays", job.replayOf === null ? "" : `rows that job ${job.replayOf} set aside`],
    ["artifact", job.artifactHash],
    ["environment", job.environmentHash],
    ["queued", timeOf(job.queuedAt)],
    ["started", timeOf(job.startedAt)],
    ["ended", timeOf(job.finishedAt)],
    ["workflow", url ?? workflowId],
  ];
  const lines = [
    `Job ${job.id}  ${terminal.paint(stateStyle(job.state) ?? "bold", job.state)}`,
    ...facts.filter(([, value]) => value !== "").map(([name, value]) => `  ${name.padEnd(11)} ${printable(value)}`),
  ];
  if (job.errorMessage !== null) {
    lines.push("", terminal.paint("red", `${job.errorCode}: ${printable(job.errorMessage, { keepLines: true })}`));
    if (job.errorHint !== null) lines.push(printable(job.errorHint, { keepLines: true }));
    lines.push(`casparian jobs logs ${job.id} shows what the plugin wrote`);
  }
  if (attempts.length > 0) lines.push("", renderTable(terminal, attemptColumns, attempts));
  if (outputs.length > 0)
    lines.push("", renderTable(terminal, outputColumns, outputs), "", ...outputs.filter((o) => o.state === "COMMITTED").map(whereOf));
  lines.push(...replays.map(describeReplay));
  if (job.state === "PARTIAL") lines.push(`casparian quarantine show ${job.replayOf ?? job.id} shows the rows that were set aside`);
  return lines.join("\n");
}

function describeReplay({ id, state, rowsCommitted }: JobDetail["replays"][number]): string {
  if (state !== "COMPLETED" && state !== "PARTIAL") return `Job ${id} is a replay of the rows that were set aside: ${state}`;
  return `Job ${id} has replayed the rows that were set aside: ${count(rowsCommitted, "row")} joined these`;
}

function timeOf(time: Date | null): string {
  return time === null ? "" : `${absoluteTime(time)} (${relativeTime(time)})`;
}

const attemptColumns: readonly Column<JobDetail["attempts"][number]>[] = [
  { title: "ATTEMPT", value: (attempt) => String(attempt.attempt), align: "right" },
  { title: "OUTCOME", value: (attempt) => attempt.outcome ?? "running" },
  { title: "STARTED", value: (attempt) => absoluteTime(attempt.startedAt) },
  {
    title: "TOOK",
    value: ({ startedAt, finishedAt }) => (finishedAt === null ? "" : duration((finishedAt.getTime() - startedAt.getTime()) / 1000)),
    align: "right",
  },
  { title: "MEMORY", value: ({ peakMemoryBytes }) => (peakMemoryBytes === null ? "" : bytes(peakMemoryBytes)), align: "right" },
  { title: "WORKER", value: (attempt) => attempt.worker, shorten: "end" },
  {
    title: "ERROR",
    optional: true,
    value: ({ errorCode, errorMessage }) => (errorCode === null ? "" : `${errorCode}: ${errorMessage ?? ""}`),
    shorten: "end",
  },
];

const outputColumns: readonly Column<JobDetail["outputs"][number]>[] = [
  { title: "OUTPUT", value: (output) => output.output },
  { title: "ATTEMPT", value: (output) => String(output.attempt), align: "right" },
  { title: "STATE", value: (output) => output.state, style: (output) => (output.state === "COMMITTED" ? "green" : "dim") },
  { title: "SENT", value: (output) => number(output.rowsSent), align: "right" },
  { title: "RECEIVED", value: (output) => number(output.rowsReceived), align: "right" },
  { title: "WRITTEN", value: (output) => number(output.rowsWritten), align: "right" },
  { title: "SET ASIDE", value: (output) => number(output.rowsQuarantined), align: "right" },
  {
    title: "OPEN",
    value: ({ rowsReplayed, rowsQuarantined }) => (rowsReplayed === 0 ? "" : number(rowsQuarantined - rowsReplayed)),
    align: "right",
    optional: true,
  },
  { title: "READ BACK", value: (output) => number(output.rowsReadBack), align: "right" },
  { title: "SIZE", value: (output) => bytes(output.sizeBytes), align: "right" },
  { title: "MODE", value: (output) => output.mode },
  { title: "CONTRACT", value: ({ contractVersion }) => (contractVersion === null ? "none" : `version ${contractVersion}`) },
];

function whereOf(output: JobDetail["outputs"][number]): string {
  const rows = `${count(output.rowsWritten, "row")} of ${output.output}`;
  if (output.replacedBy !== null) return `${rows}, whose place job ${output.replacedBy} has taken: ${timeOf(output.replacedAt)}`;
  return `${rows}: ${printable(output.target)}`;
}

/** Where the Temporal Web UI shows a workflow; null where there is none. */
export function workflowUrl(place: TemporalPlace | null, workflowId: string): string | null {
  if (place?.uiUrl == null) return null;
  return `${place.uiUrl.replace(/\/$/, "")}/namespaces/${encodeURIComponent(place.namespace)}/workflows/${encodeURIComponent(workflowId)}`;
}

export function stateStyle(state: JobState): Style | null {
  if (state === "COMPLETED") return "green";
  if (state === "FAILED") return "red";
  if (state === "RUNNING") return "cyan";
  return state === "PARTIAL" || state === "HELD" ? "yellow" : null;
}
