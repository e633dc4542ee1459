import { Command, InvalidArgumentError } from "commander";
import { replayFiles, type RequestedReplay } from "../control/file-replay/request.ts";
import { listFileReplays, showFileReplay, type FileReplayStanding } from "../control/file-replay/show.ts";
import { resumeFileReplay, stopFileReplay, waitForReplay, type SteeredReplay } from "../control/file-replay/steer.ts";
import { ServiceUnreachable, WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { absoluteTime, bytes, count, number, printable, relativeTime } from "./format.ts";
import { moreThan, parseCount } from "./parse-count.ts";
import { parseDuration } from "./quantity.ts";
import { withSession, type Session } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

interface ReplayOptions {
  readonly on?: string;
  readonly source?: string;
  readonly since?: Date;
  readonly allVersions?: boolean;
  readonly limit?: number;
  readonly atOnce: number;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly yes?: boolean;
}

export function createCommand(shell: Shell): Command {
  const command = new Command("replay")
    .description(
      "Has a chosen version of a plugin process files on record, whether it is the active one, a retired or a staged one: those that it has no result of. A few " +
        "at a time, behind all that newly arrives. It goes on after a crash, and can be stopped and resumed.",
    )
    .argument("[plugin]", "the version, like clean@2 (default: the active one of the name)")
    .option("--on <glob>", "files on record that match this, in quotes (default: those that the plugin's rules take)")
    .option("--source <name>", "only files of this source")
    .option("--since <time>", "only what was detected since: 2026-11-01, or 7d for the last seven days", parseSince)
    .option("--limit <files>", "that many at most", parseCount)
    .option("--all-versions", "older versions of the files as well, of sources that keep snapshots")
    .option("--at-once <jobs>", "that many under way at once", parseAtOnce, 50)
    .option("--dry-run", "tell what it would do, and begin nothing")
    .option("--yes", "although rows of two versions will stand beside each other")
    .option("--wait", "return when it has ended")
    .action((plugin: string | undefined, options: ReplayOptions) => begin(shell, plugin, options))
    .addCommand(listCommand(shell))
    .addCommand(showCommand(shell))
    .addCommand(stopCommand(shell))
    .addCommand(resumeCommand(shell));
  return withExamples(command, {
    "casparian replay clean@2 --dry-run": "how many files, and where the rows would go",
    "casparian replay clean@2 --on 'orders/*.csv' --since 30d --wait": "",
    "casparian replay stop 3": "what runs goes on to its end; casparian replay resume 3 goes on",
  });
}

function parseSince(text: string): Date {
  if (/^\d{4}-\d\d-\d\d([T ].*)?$/.test(text) && !Number.isNaN(Date.parse(text))) return new Date(text);
  try {
    return new Date(Date.now() - parseDuration(text));
  } catch {
    throw new InvalidArgumentError("Give a day (2026-11-01), a time (2026-11-01T14:00Z) or a span until now (7d, 12h).");
  }
}

function parseAtOnce(text: string): number {
  const amount = parseCount(text);
  if (amount > 1_000) throw new InvalidArgumentError("Give a whole number from 1 to 1000.");
  return amount;
}

async function begin(shell: Shell, plugin: string | undefined, options: ReplayOptions): Promise<void> {
  const { terminal, signal } = shell;
  if (plugin === undefined)
    throw new WrongUse("no plugin is named", "casparian replay clean@2; casparian replay list shows what was begun");
  if (options.dryRun === true && options.wait === true) throw new WrongUse("both --dry-run and --wait are given", "Give one of them");
  const { on, source, since, limit, atOnce } = options;
  await withSession(shell, { temporal: "if-running" }, async (session) => {
    const isRunning = runs(shell, session);
    if (options.wait === true && !isRunning) throw nothingRuns();
    const request = { plugin, on, source, since, limit, atOnce, allVersions: options.allVersions === true, beside: options.yes === true };
    const requested = await replayFiles(session, request, {
      insert: options.dryRun !== true,
      signal,
      onProgress: (files) => terminal.live && terminal.progress(`Looked at ${count(files, "file")} on record`),
    });
    if (options.wait !== true || requested.replay === null)
      return terminal.show(requested, () => describeRequested(requested, { ...options, isRunning }));
    terminal.progress(`Replay ${requested.replay.id} began; after Ctrl-C it goes on`);
    const replay = await waitForReplay(session, requested.replay.id, {
      signal,
      onProgress: (now) => terminal.live && terminal.progress(progressOf(now)),
    });
    terminal.show({ ...requested, replay }, () => describeReplay(replay));
    if (replay.state === "STOPPED" || badJobs(replay) > 0) process.exitCode = 1;
  });
}

function runs(shell: Shell, session: Session): boolean {
  return session.running !== null || shell.settings().temporal.kind === "external";
}

function nothingRuns(): ServiceUnreachable {
  return new ServiceUnreachable({ message: "nothing runs here that could do it", hint: "Start the system: casparian start" });
}

function badJobs({ jobs }: FileReplayStanding): number {
  return (jobs["FAILED"] ?? 0) + (jobs["CANCELLED"] ?? 0) + (jobs["SUPERSEDED"] ?? 0);
}

function describeRequested(
  { plugin, version, survey, replay }: RequestedReplay,
  { dryRun, isRunning }: ReplayOptions & { readonly isRunning: boolean },
): string {
  const { fresh, waiting, again, had, jobs, examples, beside } = survey;
  const title = `${plugin} ${version}`;
  const lines: string[] = [];
  if (fresh + waiting + again + had === 0) return `No file on record is meant: casparian files lists them`;
  if (jobs > 0)
    lines.push(
      `${count(jobs, "file version")} for ${title} (${bytes(survey.bytes)}), such as ${examples.map((path) => printable(path)).join(", ")}`,
    );
  if (again > 0) lines.push(`  ${number(again)} of which it had a job that ended without a result`);
  if (waiting > 0) lines.push(`  ${number(waiting)} of which a job of it waits or runs already`);
  if (had > 0) lines.push(`${count(had, "file version")} left out: ${title} has a result of ${had === 1 ? "it" : "them"}`);
  for (const { output, uri, mode, versions } of beside)
    lines.push(
      mode === "append"
        ? `output ${output} goes to ${uri} with mode append: of ${count(versions, "file version")} rows of another version are there, and would stay beside the new ones`
        : `output ${output} goes to ${uri} with mode error, and ${count(versions, "file version")} have a result there: a second one is refused`,
    );
  if (dryRun === true) return [...lines, "Nothing was begun"].join("\n");
  if (replay === null) return [...lines, "Nothing to do"].join("\n");
  const next = isRunning ? `casparian replay show ${replay.id}` : "nothing runs here now, so the next casparian start does it";
  return [...lines, `Replay ${replay.id} began, ${number(replay.atOnce)} at once: ${next}`].join("\n");
}

function progressOf({ id, ended, expected, open, jobs }: FileReplayStanding): string {
  const failed = (jobs["FAILED"] ?? 0) > 0 ? `, ${number(jobs["FAILED"]!)} failed` : "";
  return `Replay ${id}: ${number(ended)} of ${number(Math.max(expected, ended))} ended, ${number(open)} under way${failed}`;
}

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list replays, the newest first")
    .description("Lists replays with their progress, the newest first.")
    .option("--limit <number>", "that many at most", parseCount, 50)
    .action(async ({ limit }: { readonly limit: number }) => {
      await withSession(shell, {}, async (session) => {
        const found = await listFileReplays(session, limit + 1);
        const shown = found.slice(0, limit);
        shell.terminal.show(shown, () => {
          if (shown.length === 0) return "No replay. Begin one: casparian replay PLUGIN@VERSION --dry-run";
          return [renderTable(shell.terminal, columns, shown), ...(found.length > limit ? [moreThan(limit)] : [])].join("\n");
        });
      });
    });
  return withExamples(command, { "casparian replay list": "" });
}

const stateStyles = { RUNNING: "cyan", STOPPED: "yellow", COMPLETED: "green" } as const;

const columns: readonly Column<FileReplayStanding>[] = [
  { title: "ID", value: ({ id }) => id, align: "right" },
  { title: "PLUGIN", value: ({ pluginName, pluginVersion }) => `${pluginName} ${pluginVersion}` },
  { title: "STATE", value: ({ state }) => state, style: ({ state }) => stateStyles[state] },
  { title: "ENDED", value: ({ ended, expected }) => `${number(ended)} of ${number(expected)}`, align: "right" },
  { title: "UNDER WAY", value: ({ open }) => (open === 0 ? "" : number(open)), align: "right", optional: true },
  { title: "FAILED", value: (replay) => (badJobs(replay) === 0 ? "" : number(badJobs(replay))), align: "right", optional: true },
  { title: "FILES", value: (replay) => filesOf(replay), shorten: "end" },
  { title: "REQUESTED", value: ({ requestedAt, actor }) => `${relativeTime(requestedAt)} by ${actor}`, shorten: "end" },
];

function filesOf({ pattern, sourceName, since, allVersions, versionsMax }: FileReplayStanding): string {
  return [
    pattern ?? "what its rules take",
    ...(sourceName === null ? [] : [`of ${sourceName}`]),
    ...(since === null ? [] : [`since ${absoluteTime(since)}`]),
    ...(allVersions ? ["with older versions"] : []),
    ...(versionsMax === null ? [] : [`${number(versionsMax)} at most`]),
  ].join(", ");
}

function showCommand(shell: Shell): Command {
  const command = new Command("show")
    .summary("show a replay and how far it is")
    .description("Shows a replay: which files, how far it is, how its jobs ended.")
    .argument("<id>", "its number, as casparian replay list shows it")
    .action(async (id: string) => {
      await withSession(shell, {}, async (session) => {
        const replay = await showFileReplay(session, id);
        shell.terminal.show(replay, () => describeReplay(replay));
      });
    });
  return withExamples(command, { "casparian replay show 3": "" });
}

function describeReplay(replay: FileReplayStanding): string {
  const { id, pluginName, pluginVersion, state, reason, ended, expected, open, skipped, jobs, actor, requestedAt, endedAt } = replay;
  const states = Object.entries(jobs).map(([name, n]) => `${number(n)} ${name}`);
  const lines = [
    `Replay ${id} of ${pluginName} ${pluginVersion}: ${state}${reason === null ? "" : `: ${printable(reason)}`}`,
    `files      ${printable(filesOf(replay))}`,
    `progress   ${number(ended)} of ${number(expected)} ended, ${number(open)} under way, ${number(skipped)} had a result already`,
    ...(states.length === 0 ? [] : [`jobs       ${states.join(", ")}`]),
    `requested  ${absoluteTime(requestedAt)} by ${actor}${endedAt === null ? "" : `; ended ${absoluteTime(endedAt)}`}`,
  ];
  if (state === "STOPPED") lines.push(`Go on: casparian replay resume ${id}`);
  if (badJobs(replay) > 0) lines.push(`Why jobs failed: casparian jobs list --plugin ${pluginName}`);
  return lines.join("\n");
}

function stopCommand(shell: Shell): Command {
  const command = new Command("stop")
    .summary("stop a replay; what runs goes on to its end")
    .description("Stops a replay: it begins no more jobs, and takes back those that wait. What runs goes on to its end, and results stay.")
    .argument("<id>", "its number, as casparian replay list shows it")
    .action((id: string) => steer(shell, (session) => stopFileReplay(session, id), "stopped"));
  return withExamples(command, { "casparian replay stop 3": "" });
}

function resumeCommand(shell: Shell): Command {
  const command = new Command("resume")
    .summary("go on with a replay that was stopped")
    .description("Goes on with a replay that was stopped, where it was.")
    .argument("<id>", "its number, as casparian replay list shows it")
    .action((id: string) => steer(shell, (session) => resumeFileReplay(session, id), "running"));
  return withExamples(command, { "casparian replay resume 3": "" });
}

async function steer(shell: Shell, work: (session: Session) => Promise<SteeredReplay>, became: "stopped" | "running"): Promise<void> {
  await withSession(shell, { temporal: "if-running" }, async (session) => {
    const steered = await work(session);
    shell.terminal.show(steered, () => {
      const was = steered.changed ? "" : " already";
      const waits =
        became === "running" && !runs(shell, session) ? "; nothing runs here now, so the next casparian start goes on with it" : "";
      return `Replay ${steered.replay.id} is ${became}${was}${waits}\n${progressOf(steered.replay)}`;
    });
  });
}
