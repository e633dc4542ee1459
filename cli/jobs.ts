import { Command } from "commander";
import { cancelJob, type CancelledJob } from "../control/cancel-job.ts";
import { listJobs, type JobRow } from "../control/list-jobs.ts";
import { retryJobs, type RetriedJob, type RetryRequest } from "../control/retry-jobs.ts";
import { logStreams, readJobLog, showJob, type LogRow } from "../control/show-job.ts";
import { WrongUse } from "../domain/failure.ts";
import { jobStates } from "../domain/job-state.ts";
import { withExamples } from "./examples.ts";
import { count, duration, number, printable, relativeTime } from "./format.ts";
import { eventsCommand } from "./job-events.ts";
import { describeJob, stateStyle, workflowUrl } from "./job-page.ts";
import { moreThan, parseCount } from "./parse-count.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("jobs")
    .description("One job is one version of a file, processed by one version of a plugin.")
    .addCommand(listCommand(shell))
    .addCommand(showCommand(shell))
    .addCommand(logsCommand(shell))
    .addCommand(retryCommand(shell))
    .addCommand(cancelCommand(shell))
    .addCommand(eventsCommand(shell));
}

interface ListOptions {
  readonly state?: readonly string[];
  readonly plugin?: string;
  readonly source?: string;
  readonly path?: string;
  readonly limit: number;
}

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list jobs, newest first")
    .description("Lists jobs, newest first.")
    .option("--state <states...>", `only in these states: ${jobStates.join(", ")}`)
    .option("--plugin <name>", "only of this plugin")
    .option("--source <name>", "only of files of this source")
    .option("--path <glob>", "only of files that match")
    .option("--limit <number>", "this many at most", parseCount, 50)
    .action(async ({ state, ...options }: ListOptions) => {
      await withSession(shell, {}, async (session) => {
        const { jobs, more } = await listJobs(session, { ...options, states: state?.flatMap((states) => states.split(",")) });
        shell.terminal.show(jobs, () =>
          jobs.length === 0 ? "No job. casparian doctor says why" : renderTable(shell.terminal, jobColumns, jobs),
        );
        if (more) shell.terminal.note(moreThan(options.limit));
      });
    });
  return withExamples(command, {
    "casparian jobs list --state failed": "what failed",
    "casparian jobs list --plugin clean --path '*.csv'": "",
    "casparian jobs list --json --limit 1000": "for programs",
  });
}

/** How jobs are listed, here and after a scan. */
export const jobColumns: readonly Column<JobRow>[] = [
  { title: "ID", value: (job) => job.id, align: "right" },
  { title: "STATE", value: (job) => job.state, style: (job) => stateStyle(job.state) },
  {
    title: "PLUGIN",
    value: ({ plugin, pluginVersion, replayOf }) => `${plugin} ${pluginVersion}${replayOf === null ? "" : ` (replay of ${replayOf})`}`,
  },
  { title: "SOURCE", value: (job) => job.source },
  { title: "PATH", value: (job) => job.path, shorten: "middle" },
  { title: "VERSION", value: (job) => String(job.sequence), align: "right" },
  {
    title: "ROWS",
    optional: true,
    value: (job) => (job.state === "COMPLETED" || job.state === "PARTIAL" ? number(job.rowsCommitted) : ""),
    align: "right",
  },
  { title: "TOOK", value: tookOf, align: "right", optional: true },
  { title: "WHEN", value: (job) => relativeTime(job.finishedAt ?? job.startedAt ?? job.queuedAt) },
  {
    title: "ERROR",
    value: (job) => (job.state === "FAILED" ? `${job.errorCode}: ${(job.errorMessage ?? "").split("\n")[0]}` : ""),
    shorten: "end",
    optional: true,
  },
];

function tookOf({ startedAt, finishedAt }: JobRow): string {
  return startedAt === null || finishedAt === null ? "" : duration((finishedAt.getTime() - startedAt.getTime()) / 1000);
}

function showCommand(shell: Shell): Command {
  const command = new Command("show")
    .summary("show a job: file, code, attempts, rows, error")
    .description("Shows all that the record says of a job.")
    .argument("<id>", "the job's id")
    .action(async (id: string) => {
      await withSession(shell, {}, async (session) => {
        const detail = await showJob(session, id);
        const url = workflowUrl(session.temporalPlace, detail.workflowId);
        shell.terminal.show({ ...detail, workflowUrl: url }, () => describeJob(shell.terminal, detail, url));
      });
    });
  return withExamples(command, { "casparian jobs show 17": "" });
}

function logsCommand(shell: Shell): Command {
  const command = new Command("logs")
    .summary("what a job's plugin wrote")
    .description("Prints what a job's plugin wrote: output, logging, traceback.")
    .argument("<id>", "the job's id")
    .option("--attempt <number>", "of this attempt (default: all)", parseCount)
    .option("--stream <stream>", `only this one: ${logStreams.join(", ")}`)
    .action(async (id: string, options: { readonly attempt?: number; readonly stream?: string }) => {
      await withSession(shell, {}, async (session) => {
        const { job, entries } = await readJobLog(session, id, options);
        shell.terminal.show(entries, () => printLog(entries, options.stream !== undefined));
        if (entries.length === 0) shell.terminal.note(job.attempt === 0 ? `Job ${id} has not begun yet` : `Job ${id} has written nothing`);
      });
    });
  return withExamples(command, { "casparian jobs logs 17": "", "casparian jobs logs 17 --stream traceback": "" });
}

/** Each line with its stream in front, unless it is only one stream's; attempts apart where there are several. */
function printLog(entries: readonly LogRow[], plain: boolean): string {
  const parts: string[] = [];
  const several = new Set(entries.map((entry) => entry.attempt)).size > 1;
  let attempt = 0;
  for (const entry of entries) {
    if (several && entry.attempt !== attempt) parts.push(`── attempt ${entry.attempt} ──\n`);
    attempt = entry.attempt;
    const text = printable(entry.text, { keepLines: true });
    parts.push(plain ? text : text.replace(/^(?=.)/gms, `${entry.stream.padEnd(9)} `));
    if (!text.endsWith("\n") && !plain) parts.push("\n");
  }
  return parts.join("");
}

interface RetryOptions {
  readonly failed?: boolean;
  readonly plugin?: string;
  readonly source?: string;
}

function retryCommand(shell: Shell): Command {
  const command = new Command("retry")
    .summary("queue jobs again")
    .description(
      "Queues failed, cancelled and superseded jobs again. Where a plugin's newer version is active by now, the file goes to that one as a job of its own.",
    )
    .argument("[ids...]", "the jobs' ids")
    .option("--failed", "all failed jobs")
    .option("--plugin <name>", "with --failed: only of this plugin")
    .option("--source <name>", "with --failed: only of this source")
    .action(async (ids: string[], options: RetryOptions) => {
      const request = parseRetry(ids, options);
      await withSession(shell, {}, async (session) => {
        const retried = await retryJobs(session, request);
        const isExternal = shell.settings().temporal.kind === "external";
        shell.terminal.show(retried, () => describeRetried(retried, session.running !== null || isExternal));
        if (retried.some((job) => job.outcome === "refused")) process.exitCode = 1;
      });
    });
  return withExamples(command, {
    "casparian jobs retry 17 18": "",
    "casparian jobs retry --failed --plugin clean": "after its trouble is mended",
  });
}

function parseRetry(ids: readonly string[], options: RetryOptions): RetryRequest {
  if (options.failed === true && ids.length > 0) throw new WrongUse("both job ids and --failed are given", "Give one of them");
  if (options.failed === true) return { failed: true, plugin: options.plugin, source: options.source };
  if (ids.length === 0) throw new WrongUse("no job is named", "casparian jobs retry ID… or casparian jobs retry --failed [--plugin NAME]");
  if (options.plugin !== undefined || options.source !== undefined) throw new WrongUse("--plugin and --source go with --failed");
  return { ids };
}

function describeRetried(retried: readonly RetriedJob[], running: boolean): string {
  if (retried.length === 0) return "No failed job.";
  const lines = retried.filter((job) => job.outcome !== "queued").map((job) => `Job ${job.id} (${printable(job.path)}): ${job.reason}`);
  const queued = retried.filter((job) => job.outcome === "queued" || job.outcome === "replaced").length;
  if (queued > 0)
    lines.push(
      `Queued ${count(queued, "job")}${running ? "" : "; nothing runs here now, so the next casparian start or scan --wait runs them"}`,
    );
  return lines.join("\n");
}

function cancelCommand(shell: Shell): Command {
  const command = new Command("cancel")
    .summary("cancel jobs that have not ended")
    .description("Cancels jobs that have not ended. A running plugin is killed, and nothing of it becomes visible.")
    .argument("<ids...>", "the jobs' ids")
    .action(async (ids: string[]) => {
      await withSession(shell, { temporal: "if-running" }, async (session) => {
        const cancelled: CancelledJob[] = [];
        for (const id of ids) cancelled.push(await cancelJob(session, id, shell.signal));
        shell.terminal.show(cancelled, () =>
          cancelled
            .map(({ id, outcome, state }) => {
              if (outcome === "cancelled" && state === "CANCELLED") return `Job ${id} is cancelled`;
              return outcome === "asked" ? `Job ${id} will be cancelled; its worker has not answered yet` : `Job ${id} has ended: ${state}`;
            })
            .join("\n"),
        );
      });
    });
  return withExamples(command, { "casparian jobs cancel 17": "" });
}
