import { pluginLimits } from "../config/settings.ts";
import { Command, InvalidArgumentError } from "commander";
import { openComparisons, type Comparisons } from "../control/compare-plugins.ts";
import { createVersionBytes } from "../workers/version-bytes.ts";
import { withExamples } from "./examples.ts";
import { number, printable } from "./format.ts";
import { parseCount } from "./parse-count.ts";
import { describeComparison, describeFile } from "./plugin-comparison.ts";
import { findPluginTools } from "./plugin-tools.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";

interface CompareOptions {
  readonly against?: string;
  readonly on?: string;
  readonly source?: string;
  readonly limit: number;
  readonly allVersions?: boolean;
  readonly key: readonly string[];
  readonly tolerance?: number;
  readonly failFast?: boolean;
}

export function compareCommand(shell: Shell): Command {
  const command = new Command("compare")
    .summary("have two versions process the same files, and see what differs")
    .description(
      "Runs two versions of a plugin over files on record, each with its own packages, in the sandbox, past the contracts in force, and compares " +
        "columns, rows and what they set aside. Nothing is written to sinks. What differs is kept, and becomes the proof with which a version is " +
        "activated. Ends with exit code 1 where they differ.",
    )
    .argument("<plugin>", "the version that is to be activated, like clean@2 (default: the newest one of the name)")
    .option("--against <version>", "the version to compare with (default: the active one)")
    .option("--on <glob>", "files on record that match this, in quotes (default: those that the plugin's rules take)")
    .option("--source <name>", "only files of this source")
    .option("--limit <files>", "that many at most, those that came last first", parseCount, 100)
    .option("--all-versions", "older versions of the files as well, of sources that keep snapshots")
    .option("--key <columns>", "columns that say which row is which, so that changed rows are told: id,date", parseColumns, [])
    .option(
      "--tolerance <number>",
      "floating-point numbers may differ by this share of them, like 1e-9 (default: by nothing)",
      parseTolerance,
    )
    .option("--fail-fast", "end at the first file that differs")
    .action(async (plugin: string, options: CompareOptions) => {
      // Outside of the session, which an interruption closes at once: what was made on the disk goes in any case.
      await using stack = new AsyncDisposableStack();
      const comparisons = await openComparisonsOf(shell);
      stack.defer(() => comparisons.close());
      await compare(shell, comparisons, plugin, options);
    });
  return withExamples(command, {
    "casparian plugin compare clean@2": "with the active version, on the files that came last",
    "casparian plugin compare clean@2 --against 1 --on 'orders/*.csv' --limit 500 --key order_id": "",
    "casparian plugin compare clean@2 --fail-fast --tolerance 1e-9": "",
  });
}

function parseColumns(text: string): readonly string[] {
  const columns = text.split(",").map((column) => column.trim());
  if (columns.includes("")) throw new InvalidArgumentError("Give names of columns, with commas between them: id,date.");
  return [...new Set(columns)];
}

function parseTolerance(text: string): number {
  const tolerance = Number(text);
  if (text.trim() === "" || !(tolerance > 0 && tolerance < 1)) throw new InvalidArgumentError("Give a number between 0 and 1, like 1e-9.");
  return tolerance;
}

async function openComparisonsOf(shell: Shell): Promise<Comparisons> {
  const { stateDir, limits, plugins } = shell.settings();
  return openComparisons({
    tools: await findPluginTools(shell),
    stateDir,
    limits: pluginLimits(limits),
    requireSandbox: plugins.sandbox === "require",
    trust: plugins,
    openBytes: await createVersionBytes(stateDir),
    log: shell.log,
    onProgress: (step) => shell.terminal.progress(step),
    signal: shell.signal,
  });
}

async function compare(shell: Shell, comparisons: Comparisons, plugin: string, options: CompareOptions): Promise<void> {
  const { terminal } = shell;
  const { against, on = null, source, limit, key, tolerance = null } = options;
  await withSession(shell, {}, async (session) => {
    const request = {
      ...{ plugin, against, on, source, limit, key, tolerance },
      allVersions: options.allVersions === true,
      failFast: options.failFast === true,
    };
    const comparison = await comparisons.run(session, request, (file, done, of) => {
      if (!terminal.json && file.outcome !== "same") terminal.print(describeFile(terminal, file));
      if (terminal.live) terminal.progress(`Compared ${number(done)} of ${number(of)}: ${printable(file.path)}`);
    });
    terminal.show(comparison, () => describeComparison(terminal, comparison, { withFiles: false }));
    if (comparison.verdict === "DIFFERENT") process.exitCode = 1;
  });
}
