import { Command } from "commander";
import { createLog } from "../workers/log.ts";
import { joinSystem } from "../workers/system.ts";
import { runUntilStopped } from "./run-until-stopped.ts";
import type { Shell } from "./shell.ts";

export function createCommand(shell: Shell): Command {
  return new Command("worker")
    .description(
      `Runs one more worker for a system that runs already: the one of this folder, or the one at --connect and --database, also from
another machine. It must reach the sources and the sinks under the same paths; with --group also the sources of that group, which it
watches.`,
    )
    .option("--connect <address>", "the Temporal server, host:port; the same as --temporal")
    .option("--concurrency <n>", "how many plugins run at once (default: one for each processor)")
    .option("--group <name...>", "work also for the sources of this group of workers; instead of [worker] groups")
    .addHelpText(
      "after",
      "\nExamples:\n  casparian worker\n  casparian worker --group nas\n  casparian worker --connect temporal:7233 --database postgres://me@db/casparian",
    )
    .action((options: WorkerFlags) => work(shell, options));
}

interface WorkerFlags {
  readonly connect?: string;
  readonly concurrency?: string;
  readonly group?: readonly string[];
}

async function work(shell: Shell, flags: WorkerFlags): Promise<void> {
  const { terminal } = shell;
  const settings = shell.settings({
    ...(flags.connect === undefined ? {} : { temporal: flags.connect }),
    ...(flags.concurrency === undefined ? {} : { concurrency: flags.concurrency }),
    ...(flags.group === undefined ? {} : { groups: flags.group }),
  });
  const log = createLog(settings.logLevel, terminal.json ? "json" : "text");
  const system = await joinSystem({ settings, log, onProgress: (text) => terminal.progress(text) });
  terminal.clearProgress();
  const { groups } = settings.worker;
  const whose = groups.length === 0 ? "" : `, also for the sources of ${groups.join(", ")}`;
  terminal.show(
    { running: true, temporal: system.urls.temporal, groups },
    () => `A worker runs for ${system.urls.temporal}${whose}. Ctrl-C stops it.`,
  );
  await runUntilStopped(system, shell);
}
