import { Command } from "commander";
import { describePythons, listEnvironments, listPythons, type EnvironmentStanding } from "../control/list-environments.ts";
import { pruneEnvironments } from "../control/prune-environments.ts";
import { withExamples } from "./examples.ts";
import { verifyEnvironments, type CheckedEnvironment } from "../control/verify-environments.ts";
import { findTool } from "../services/tools.ts";
import { bytes, count, relativeTime, shortHash } from "./format.ts";
import { parseDuration, parseSize } from "./quantity.ts";
import { findPluginTools } from "./plugin-tools.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("env")
    .description("The Python environments that are built in this home, one for each lock; jobs build what they lack.")
    .addCommand(listCommand(shell))
    .addCommand(verifyCommand(shell))
    .addCommand(pruneCommand(shell));
}

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list the environments, with their size and plugins")
    .description("Lists the Python environments of this home, the most recently used first.")
    .action(async () => {
      await withSession(shell, {}, async (session) => {
        const environments = await listEnvironments(session, shell.settings().stateDir);
        const pythons = await findPythons(shell);
        shell.terminal.show(environments, () => [describeList(shell, environments), ...pythons].join("\n"));
      });
    });
  return withExamples(command, { "casparian env list": "" });
}

/** Looked for on a terminal only: it takes a second. */
async function findPythons({ terminal, settings }: Shell): Promise<readonly string[]> {
  const uv = terminal.json ? null : await findTool("uv", settings().stateDir);
  const pythons = uv === null ? [] : await listPythons(uv).catch(() => []);
  return pythons.length === 0 ? [] : [`Plugins may ask for these Pythons: ${describePythons(pythons)}`];
}

function verifyCommand(shell: Shell): Command {
  const command = new Command("verify")
    .summary("compare every file of the environments with what was built")
    .description(
      "Reads all files of this home's environments and compares them with what was built. Jobs notice missing and changed files by themselves; " +
        "this also finds contents that were changed behind sizes and times. Exits with 1 if something is damaged and not repaired.",
    )
    .option("--repair", "build damaged ones anew; one that a process uses stays until that ends, and is taken by nobody else")
    .action(async ({ repair = false }: { readonly repair?: boolean }) => {
      await withSession(shell, {}, async (session) => {
        const { stateDir } = shell.settings();
        const { log, signal } = shell;
        const onProgress = (step: string): void => shell.terminal.progress(step);
        const tools = () => findPluginTools(shell);
        const checked = await verifyEnvironments(session, { stateDir, repair, tools, log, onProgress, signal });
        shell.terminal.show(checked, () => describeChecked(shell, checked));
        if (checked.some(({ outcome }) => outcome === "damaged")) process.exitCode = 1;
      });
    });
  return withExamples(command, { "casparian env verify": "", "casparian env verify --repair": "" });
}

const outcomes: Readonly<Record<CheckedEnvironment["outcome"], string>> = {
  whole: "whole",
  damaged: "damaged",
  rebuilt: "built again",
  removed: "removed",
  aside: "used, no more taken",
};

function describeChecked(shell: Shell, checked: readonly CheckedEnvironment[]): string {
  if (checked.length === 0) return "No environment is built here";
  const verdict = checked.some(({ outcome }) => outcome === "damaged")
    ? "Build the damaged ones again: casparian env verify --repair"
    : `${count(checked.length, "environment")} looked at`;
  return [renderTable(shell.terminal, checkedColumns, checked), "", verdict].join("\n");
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

const checkedColumns: readonly Column<CheckedEnvironment>[] = [
  { title: "ENVIRONMENT", value: ({ hash }) => (hash === null ? "not whole" : shortHash(hash)) },
  { title: "PYTHON", value: ({ python }) => python ?? "–" },
  { title: "STATE", value: ({ outcome }) => outcomes[outcome], style: ({ outcome }) => (outcome === "damaged" ? "red" : null) },
  { title: "DAMAGE", value: ({ damage }) => damage ?? "", shorten: "end" },
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
