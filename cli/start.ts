import { relative } from "node:path";
import { Command } from "commander";
import { createLog } from "../workers/log.ts";
import { startSystem, type System } from "../workers/system.ts";
import { runUntilStopped } from "./run-until-stopped.ts";
import type { Shell } from "./shell.ts";

export function createCommand(shell: Shell): Command {
  return new Command("start")
    .description(
      `Runs the whole system in this folder until Ctrl-C: the database, Temporal with its Web UI, a worker, and the scout, which watches the
sources. What the settings name as external is used and not started. What was interrupted the last time goes on.`,
    )
    .option("--group <name...>", "work also for the sources of this group of workers; instead of [worker] groups")
    .addHelpText(
      "after",
      "\nExamples:\n  casparian start\n  casparian start --database postgres://me@db/casparian --temporal temporal:7233",
    )
    .action((flags: { readonly group?: readonly string[] }) => start(shell, flags.group));
}

async function start(shell: Shell, groups: readonly string[] | undefined): Promise<void> {
  const { terminal } = shell;
  const settings = shell.settings(groups === undefined ? {} : { groups });
  const log = createLog(settings.logLevel, terminal.json ? "json" : "text");
  const system = await startSystem({
    settings,
    log,
    command: "start",
    scout: "all",
    onProgress: (text) => terminal.progress(text),
  });
  terminal.clearProgress();
  terminal.show({ running: true, urls: system.urls }, () => describe(system, settings.home));
  await runUntilStopped(system, shell);
}

function describe({ urls }: System, home: string): string {
  return [
    `Casparian Flow runs in ${relative(process.cwd(), home) || "this folder"}. Ctrl-C stops it.`,
    `  Temporal Web UI  ${urls.temporalUi ?? "at the external server"}`,
    `  Temporal         ${urls.temporal}, namespace ${urls.temporalNamespace}`,
    "  Database         casparian status --json has the URLs; casparian sql asks it",
  ].join("\n");
}
