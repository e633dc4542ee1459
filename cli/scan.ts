import { setTimeout } from "node:timers/promises";
import type { Client } from "@temporalio/client";
import { Command, InvalidArgumentError } from "commander";
import type { ControlContext } from "../control/context.ts";
import { asServiceTrouble } from "../control/open-record.ts";
import { chooseSources, scanSources, type ScanOutcome, type ScanStep, type ScanRequest } from "../control/scan-sources.ts";
import { TransientFailure, WrongUse } from "../domain/failure.ts";
import { isHomeHeld } from "../services/home-lock.ts";
import { readRunFile } from "../services/run-file.ts";
import { startSystem, type System } from "../workers/system.ts";
import { withExamples } from "./examples.ts";
import { bytes, count, number } from "./format.ts";
import { jobColumns } from "./jobs.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable } from "./table.ts";

interface ScanOptions {
  readonly wait?: boolean;
  readonly timeout?: number;
}

export function createCommand(shell: Shell): Command {
  const command = new Command("scan")
    .description(
      "Looks for new, changed and vanished files now. With --wait it returns when every file has settled and every job that follows has ended, " +
        "and exits with 1 if a job failed. Ctrl-C stops the scan, too; the next one goes on where it was. Where nothing runs in this folder, it starts what it needs and stops it afterwards.",
    )
    .argument("[name]", "only this source")
    .option("--wait", "wait until everything that follows is done")
    .option("--timeout <seconds>", "give up waiting after so long, and exit with 1", parseSeconds)
    .action(async (name: string | undefined, options: ScanOptions) => {
      const request = {
        source: name,
        wait: options.wait === true,
        timeoutMs: options.timeout === undefined ? null : options.timeout * 1000,
      };
      await scan(shell, request);
    });
  return withExamples(command, {
    "casparian scan": "",
    "casparian scan inbox --wait": "",
    "casparian scan --wait --timeout 600 --json": "for a nightly script",
  });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !Number.isFinite(seconds) || seconds <= 0 || seconds > 2_000_000)
    throw new InvalidArgumentError("Give seconds above 0.");
  return seconds;
}

async function scan(shell: Shell, request: ScanRequest): Promise<void> {
  const { outcome, running } = await withScanner(shell, request, async ({ db, temporal }, isRunning) => ({
    outcome: await scanSources({ db, temporal, signal: shell.signal, onProgress: progressOn(shell) }, request),
    running: isRunning,
  }));
  shell.terminal.show(outcome, () => describe(shell, outcome, request, running));
  if (outcome.failed.length > 0) process.exitCode = 1;
}

type Scanner = Pick<ControlContext, "db"> & { readonly temporal: Client };

/** With the system that runs, here or at the external addresses; or with one of our own, for as long as it takes. */
async function withScanner<T>(shell: Shell, request: ScanRequest, work: (scanner: Scanner, isRunning: boolean) => Promise<T>): Promise<T> {
  const settings = shell.settings();
  const isExternal = settings.database.kind === "external" && settings.temporal.kind === "external";
  const system = isExternal ? null : await startUnlessRunning(shell, request);
  if (system === null) {
    return withSession(shell, { temporal: "required" }, async ({ db, temporal }) => work({ db, temporal: temporal! }, true));
  }
  try {
    const died = system.died.then((reason) => {
      throw new TransientFailure({ code: "SYSTEM_DIED", message: reason, hint: "Scan again: what was under way goes on where it was" });
    });
    return await Promise.race([work({ db: system.db, temporal: system.client }, false), died]);
  } catch (error) {
    throw asServiceTrouble(error);
  } finally {
    shell.terminal.progress("Stopping");
    await system.stop();
    shell.terminal.clearProgress();
  }
}

/** How long another command that uses this folder's record is waited for. Milliseconds. */
const waitMsMax = 15_000;

/** Null where a system runs in this home. */
async function startUnlessRunning(shell: Shell, request: ScanRequest): Promise<System | null> {
  const settings = shell.settings();
  if ((await readRunFile(settings.stateDir)) !== null) return null;
  // A whole system, whose first start may take a minute, is not started to say that there is nothing to scan.
  await withSession(shell, {}, async ({ db }) => void (await chooseSources(db, request.source)));
  const deadline = Date.now() + waitMsMax;
  for (;;) {
    if ((await readRunFile(settings.stateDir)) !== null) return null;
    try {
      return await startSystem({
        settings,
        log: shell.log,
        command: "scan",
        scout: "none",
        onProgress: (text) => shell.terminal.progress(text),
      });
    } catch (error) {
      if (!(error instanceof WrongUse) || !isHomeHeld(settings.stateDir) || Date.now() > deadline) throw error;
      await setTimeout(100, undefined, { signal: shell.signal });
    }
  }
}

/** Elsewhere than on a terminal a line for each change would be thousands. Milliseconds. */
const lineEveryMs = 5_000;

function progressOn({ terminal }: Shell): (progress: ScanStep) => void {
  let last = "";
  let lastAt = 0;
  return (progress) => {
    const text = describeProgress(progress);
    const isFurther = progress.step === "processing" || progress.scans.length > 0;
    if (text === last || (!terminal.live && isFurther && Date.now() - lastAt < lineEveryMs)) return;
    [last, lastAt] = [text, Date.now()];
    terminal.progress(text);
  };
}

function describeProgress(progress: ScanStep): string {
  if (progress.step === "scanning") {
    return `Scanning ${progress.scans.length === 0 ? progress.sources.join(", ") : progress.scans.map(describePace).join("; ")}`;
  }
  const { unsettled, unplanned, queued, running, ended } = progress;
  const parts = [
    unsettled > 0 ? `${count(unsettled, "file")} settling` : null,
    unplanned > 0 ? `${number(unplanned)} to plan` : null,
    `${number(queued)} queued`,
    `${number(running)} running`,
    ...Object.entries(ended).map(([state, amount]) => `${number(amount)} ${state.toLowerCase()}`),
  ];
  return `Processing: ${parts.filter((part) => part !== null).join(", ")}`;
}

function describePace(pace: ScanPace): string {
  const seen = `${pace.source}: ${count(pace.filesSeen, "file")} seen`;
  const speed = `${number(pace.filesPerSecond)} files/s`;
  if (pace.step === "walk") return `${seen}, ${speed}`;
  if (pace.step === "compare") return `${seen}, comparing`;
  if (pace.step === "archives") {
    return `${seen}, ${count(pace.filesHashed, "member")} of archives read (${bytes(pace.bytesHashed)}), ${speed}`;
  }
  const hashed = `${number(pace.filesHashed)} of ${number(pace.filesToHash)} hashed (${bytes(pace.bytesHashed)})`;
  return `${seen}, ${hashed}, ${speed}, ${bytes(pace.bytesPerSecond)}/s`;
}

type ScanPace = Extract<ScanStep, { step: "scanning" }>["scans"][number];

function describe(
  shell: Shell,
  { sources, work, failed, unreached, trouble }: ScanOutcome,
  request: ScanRequest,
  running: boolean,
): string {
  const lines = sources.map((source) => {
    const found = `${count(source.filesSeen, "file")} seen: ${number(source.filesNew)} new, ${number(source.filesChanged)} changed, ${number(source.filesVanished)} vanished${source.filesLeftOut === 0 ? "" : `, ${number(source.filesLeftOut)} left out by size or age`}`;
    return `${source.source}: ${found}${source.message === null ? "" : `; ${source.message}`}`;
  });
  lines.push(...unreached.map(({ source, workerGroup }) => `${source}: not scanned, because no worker runs for group ${workerGroup}`));
  const jobs = Object.entries(work.ended).map(([state, amount]) => `${number(amount)} ${state}`);
  if (jobs.length > 0) lines.push(`Jobs that ended: ${jobs.join(", ")}`);
  if (work.held > 0) lines.push(`${count(work.held, "job")} held: casparian doctor says why`);
  if (!request.wait) lines.push(...describeRest(work, running));
  if (trouble !== null) lines.push(`${trouble.message[0]!.toUpperCase()}${trouble.message.slice(1)}`, `Next: ${trouble.hint}`);
  if (failed.length > 0) {
    lines.push(
      "",
      `${count(failed.length, "job")} failed:`,
      renderTable(shell.terminal, failedColumns, failed),
      "",
      "casparian jobs show ID says more",
    );
  }
  return lines.join("\n");
}

const failedColumns = jobColumns.filter(({ title }) => ["ID", "PLUGIN", "SOURCE", "PATH", "ERROR"].includes(title));

/** What goes on after a scan that did not wait. */
function describeRest({ unsettled, unplanned, queued, running: underWay }: ScanOutcome["work"], isRunning: boolean): readonly string[] {
  const lines: string[] = [];
  if (unsettled > 0)
    lines.push(`${count(unsettled, "file")} still changing: a later scan takes ${unsettled === 1 ? "it" : "them"}, or scan --wait`);
  const waiting = unplanned + queued + underWay;
  if (waiting > 0)
    lines.push(
      `${number(waiting)} to process${isRunning ? ": casparian jobs list shows them" : ": casparian start processes them, or scan --wait"}`,
    );
  return lines;
}
