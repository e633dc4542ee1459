import { Command } from "commander";
import { listEnvironments, type EnvironmentStanding } from "../control/list-environments.ts";
import { pruneEnvironments } from "../control/prune-environments.ts";
import { withExamples } from "./examples.ts";
import { bytes, count, relativeTime, shortHash } from "./format.ts";
import { parseDuration, parseSize } from "./quantity.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("env")
    .description("The Python environments that are built in this home, one for each lock; jobs build what they lack.")
    .addCommand(listCommand(shell))
    .addCommand(pruneCommand(shell));
}

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list the environments, with their size and plugins")
    .description("Lists the Python environments of this home, the most recently used first.")
    .action(async () => {
      await withSession(shell, {}, async (session) => {
        const environments = await listEnvironments(session, shell.settings().stateDir);
        shell.terminal.show(environments, () => describeList(shell, environments));
      });
    });
  return withExamples(command, { "casparian env list": "" });
}

function describeList(shell: Shell, environments: readonly EnvironmentStanding[]): string {
  if (environments.length === 0) return "No environment is built here. The first job of a plugin builds its own";
  const total = environments.reduce((sum, environment) => sum + environment.bytes, 0);
  const limit = shell.settings().python.environmentsMbMax * 1e6;
  const sum = `${count(environments.length, "environment")}, ${bytes(total)}; beyond ${bytes(limit)} the least recently used go`;
  return [renderTable(shell.terminal, columns, environments), "", sum].join("\n");
}

const columns: readonly Column<EnvironmentStanding>[] = [
  { title: "ENVIRONMENT", value: ({ hash }) => (hash === null ? "not whole" : shortHash(hash)) },
  { title: "PYTHON", value: ({ python }) => python ?? "–" },
  { title: "SIZE", value: (environment) => bytes(environment.bytes), align: "right" },
  { title: "BUILT", value: ({ builtAt }) => relativeTime(builtAt) },
  { title: "USED", value: ({ inUse, usedAt }) => (inUse ? "now" : relativeTime(usedAt)), style: ({ inUse }) => (inUse ? "green" : null) },
  { title: "OF", value: describePlugins, shorten: "end" },
];

function describePlugins({ plugins }: EnvironmentStanding): string {
  return plugins.map(({ name, version, state }) => `${name} ${version}${state === "ACTIVE" ? "" : ` (${state.toLowerCase()})`}`).join(", ");
}

interface PruneOptions {
  readonly dryRun?: boolean;
  readonly all?: boolean;
  readonly unusedFor?: number;
  readonly maxSize?: number;
}

function pruneCommand(shell: Shell): Command {
  const command = new Command("prune")
    .summary("remove environments that no active version needs")
    .description(
      "Removes environments of this home that no active version is locked to, the least recently used first. One that is used now, or was " +
        "within ten minutes, stays. Each is built again when a job needs it.",
    )
    .option("--all", "those of active versions, too")
    .option("--unused-for <span>", "only those that no job has used for so long, as 30d", parseDuration)
    .option("--max-size <size>", "only until the others have no more than this, as 5GB", parseSize)
    .option("--dry-run", "only say what would be removed")
    .action(async ({ dryRun = false, all = false, unusedFor, maxSize }: PruneOptions) => {
      await withSession(shell, {}, async (session) => {
        const { stateDir } = shell.settings();
        const request = { stateDir, dryRun, all, unusedMs: unusedFor, bytesMax: maxSize, signal: shell.signal };
        const removed = await pruneEnvironments(session, request);
        shell.terminal.show({ dryRun, removed }, () => {
          const size = bytes(removed.reduce((sum, environment) => sum + environment.bytes, 0));
          const verb = dryRun ? "would be" : removed.length === 1 ? "was" : "were";
          return removed.length === 0 ? "Nothing to remove" : `${count(removed.length, "environment")} (${size}) ${verb} removed`;
        });
      });
    });
  return withExamples(command, {
    "casparian env prune --dry-run": "",
    "casparian env prune --all --unused-for 30d": "whatever has not been used for a month",
  });
}
