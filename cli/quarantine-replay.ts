import { Command } from "commander";
import { replayQuarantine, type ReplayedJob, type ReplayScope, type ReplayTrial } from "../control/replay-quarantine.ts";
import { rerunQuarantine, type RerunJob } from "../control/rerun-quarantine.ts";
import { waitForJobs, type AwaitedJobs } from "../control/wait-for-jobs.ts";
import type { JobRow } from "../control/list-jobs.ts";
import { ServiceUnreachable, WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { count, number, printable } from "./format.ts";
import { jobColumns } from "./jobs.ts";
import { reasonText } from "./quarantine-filter.ts";
import { withSession, type Session } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable } from "./table.ts";

interface ReplayOptions {
  readonly plugin?: string;
  readonly output?: string;
  readonly rerun?: true;
  readonly dryRun?: true;
  readonly wait?: true;
}

export function replayCommand(shell: Shell): Command {
  const command = new Command("replay")
    .summary("process rows that were set aside again, after a fix")
    .description(
      "After a contract was changed: holds the rows that it refused against it as it is now. Those that pass join the rows of their job, once; the " +
        "others stay set aside, with their new reasons. Neither file nor plugin is needed.\n" +
        "After a plugin was mended: with --rerun its active version processes exactly those files again of which an earlier version has rows " +
        "in quarantine, and its results take the place of the earlier ones.",
    )
    .argument("[job]", "only of this job (default: all that have rows in quarantine)")
    .option("--plugin <name>", "only of this plugin's jobs")
    .option("--output <name>", "only of jobs with rows of this output")
    .option("--rerun", "have the plugin's active version process the files again")
    .option("--dry-run", "tell what would pass, and why the rest would not")
    .option("--wait", "return when all of it has ended")
    .action(async (jobId: string | undefined, options: ReplayOptions) => {
      if (options.dryRun === true && options.wait === true) throw new WrongUse("both --dry-run and --wait are given", "Give one of them");
      const scope = { jobId, plugin: options.plugin, output: options.output };
      await withSession(shell, {}, async (session) => {
        const isRunning = session.running !== null || shell.settings().temporal.kind === "external";
        if (options.wait === true && !isRunning)
          throw new ServiceUnreachable({ message: "nothing runs here that could do it", hint: "Start the system: casparian start" });
        await (options.rerun === true ? rerun : replay)(shell, session, scope, { ...options, isRunning });
      });
    });
  return withExamples(command, {
    "casparian quarantine replay --dry-run": "what would pass the contracts as they are now",
    "casparian quarantine replay 17": "the rows of one job",
    "casparian quarantine replay --plugin clean --wait": "",
    "casparian quarantine replay --plugin clean --rerun": "after clean was mended and published",
  });
}

type Act = ReplayOptions & { readonly isRunning: boolean };

async function replay(shell: Shell, session: Session, scope: ReplayScope, act: Act): Promise<void> {
  const { terminal, signal } = shell;
  const jobs = await replayQuarantine(session, scope, {
    insert: act.dryRun !== true,
    signal,
    onProgress: (done, of) => terminal.live && terminal.progress(`Trying: ${number(done)} of ${count(of, "job")}`),
  });
  const ids = jobs.flatMap(({ replayId }) => replayId ?? []);
  const ended = act.wait === true && ids.length > 0 ? await wait(shell, session, { ids }) : [];
  terminal.show({ dryRun: act.dryRun === true, jobs, ended }, () =>
    [...describeReplay(jobs, act), ...describeEnded(shell, ended)].join("\n"),
  );
  // That nothing would pass is an answer to the one, and a failure of the other.
  if (act.dryRun !== true && jobs.length > 0 && ids.length === 0) process.exitCode = 1;
}

async function rerun(shell: Shell, session: Session, scope: ReplayScope, act: Act): Promise<void> {
  const jobs = await rerunQuarantine(session, scope, { insert: act.dryRun !== true, signal: shell.signal });
  const queued = jobs.filter(({ outcome }) => outcome === "queued" || outcome === "waiting");
  const ended: JobRow[] = [];
  if (act.wait === true)
    for (const [pluginId, some] of Map.groupBy(queued, ({ newerPluginId }) => newerPluginId!))
      ended.push(...(await wait(shell, session, { fileVersionIds: some.map(({ fileVersionId }) => fileVersionId), pluginId })));
  shell.terminal.show({ dryRun: act.dryRun === true, jobs, ended }, () =>
    [...describeRerun(jobs, act), ...describeEnded(shell, ended)].join("\n"),
  );
  if (act.dryRun !== true && jobs.length > 0 && queued.length === 0) process.exitCode = 1;
}

async function wait({ terminal, signal }: Shell, session: Session, awaited: AwaitedJobs): Promise<readonly JobRow[]> {
  const jobs = await waitForJobs(session, awaited, {
    signal,
    onProgress: (ended, of) => terminal.live && terminal.progress(`${number(ended)} of ${count(of, "job")} ended`),
  });
  if (jobs.some(({ state }) => state === "FAILED" || state === "CANCELLED" || state === "SUPERSEDED")) process.exitCode = 1;
  return jobs;
}

function describeEnded({ terminal }: Shell, ended: readonly JobRow[]): readonly string[] {
  return ended.length === 0 ? [] : ["", renderTable(terminal, jobColumns, ended)];
}

/** Jobs that are described one by one; `--json` has all. */
const describedMax = 20;
const reasonsMax = 3;

function describeReplay(jobs: readonly ReplayedJob[], { dryRun, isRunning }: Act): readonly string[] {
  if (jobs.length === 0) return ["No rows are in quarantine."];
  const lines = jobs.slice(0, describedMax).flatMap(describeJob);
  if (jobs.length > describedMax) lines.push(`… and ${count(jobs.length - describedMax, "job")} more, which --json shows`);
  const passing = sum(jobs, ({ rowsPassing }) => rowsPassing);
  const open = sum(jobs, ({ rowsOpen }) => rowsOpen);
  const queued = jobs.filter(({ outcome }) => outcome === "queued").length;
  if (dryRun === true) lines.push(`${number(passing)} of ${count(open, "row")} would pass; nothing was queued`);
  else if (queued > 0)
    lines.push(`Queued ${count(queued, "replay")}${isRunning ? "" : "; nothing runs here now, so the next casparian start does them"}`);
  else if (passing === 0) lines.push("Nothing was queued: no row would pass");
  return [...lines, ...nextSteps(jobs)];
}

function describeJob({ jobId, plugin, pluginVersion, path, outcome, replayId, outputs }: ReplayedJob): readonly string[] {
  const became =
    outcome === "queued" ? `: queued as job ${replayId}` : outcome === "waiting" ? `: job ${replayId} replays them already` : "";
  return [`Job ${jobId} (${plugin} ${pluginVersion}, ${printable(path)})${became}`, ...outputs.flatMap(describeTrial)];
}

function describeTrial({ output, rowsOpen, rowsPassing, reasons, refusal, ...rest }: ReplayTrial): readonly string[] {
  if (rowsOpen === 0) return [`  ${output}: all rows that were set aside have been replayed`];
  if (refusal !== null) return [`  ${output}: ${count(rowsOpen, "row")}: ${printable(refusal)}`];
  const aside = [
    rest.rowsByPlugin === 0 ? null : `${count(rest.rowsByPlugin, "row")} set aside by the plugin itself`,
    rest.rowsAsText === 0 ? null : `${count(rest.rowsAsText, "row")} kept as text only`,
  ].filter((each) => each !== null);
  const tried = rowsPassing + rest.rowsRefused;
  const passed = `${number(rowsPassing)} of ${count(tried, "row")} ${tried === 1 ? "passes" : "pass"} contract version ${rest.contractVersion}`;
  return [
    `  ${output}: ${[...(tried === 0 ? [] : [passed]), ...aside].join("; ")}`,
    ...reasons.slice(0, reasonsMax).map(({ reason, rows }) => {
      const more = rows === 1 ? "" : ` (${count(rows, "row")})`;
      return `    ${printable(reasonText(reason))}${more}`;
    }),
  ];
}

function sum(jobs: readonly ReplayedJob[], of: (trial: ReplayTrial) => number): number {
  return jobs.reduce((total, { outputs }) => total + outputs.reduce((part, trial) => part + of(trial), 0), 0);
}

/** What brings back the rows that no replay does. */
function nextSteps(jobs: readonly ReplayedJob[]): readonly string[] {
  const lines: string[] = [];
  if (sum(jobs, ({ rowsRefused }) => rowsRefused) > 0)
    lines.push("What is refused stays set aside: casparian contract set PLUGIN OUTPUT … changes what a contract takes");
  const left = jobs.filter(({ outputs }) =>
    outputs.some(({ rowsOpen, rowsPassing, refusal }) => refusal === null && rowsOpen > rowsPassing),
  );
  for (const [plugin, some] of Map.groupBy(left, (job) => job.plugin)) {
    const newer = some.find(({ newerVersion }) => newerVersion !== null)?.newerVersion;
    const needsFile = some.some(({ outputs }) => outputs.some(({ rowsByPlugin, rowsAsText }) => rowsByPlugin + rowsAsText > 0));
    if (newer != null)
      lines.push(
        `${plugin} ${newer} is active now; to have it process ${count(some.length, "file")} again: casparian quarantine replay --plugin ${plugin} --rerun`,
      );
    else if (needsFile)
      lines.push(
        `What ${plugin} set aside itself, or is kept as text only, needs the file: casparian plugin publish FILE --name ${plugin} --version NEW, then casparian quarantine replay --plugin ${plugin} --rerun`,
      );
  }
  return lines;
}

function describeRerun(jobs: readonly RerunJob[], { dryRun, isRunning }: Act): readonly string[] {
  if (jobs.length === 0) return ["No rows are in quarantine."];
  const lines = jobs.slice(0, describedMax).map(({ jobId, plugin, pluginVersion, newerVersion, path, outcome, reason, hint }) => {
    const place = `Job ${jobId} (${plugin} ${pluginVersion}, ${printable(path)})`;
    if (outcome === "queued") return `${place}: queued for ${plugin} ${newerVersion}`;
    if (outcome === "ready")
      return `${place}: ${plugin} ${newerVersion} would process the file again, and its result take the place of this one`;
    return `${place}: ${outcome === "waiting" ? "" : "not queued: "}${reason}${hint === null ? "" : `\n  Next: ${hint}`}`;
  });
  if (jobs.length > describedMax) lines.push(`… and ${count(jobs.length - describedMax, "job")} more, which --json shows`);
  const queued = jobs.filter(({ outcome }) => outcome === "queued").length;
  if (dryRun !== true)
    lines.push(
      `Queued ${count(queued, "file")}${queued === 0 || isRunning ? "" : "; the next casparian start or scan --wait processes them"}`,
    );
  return lines;
}
