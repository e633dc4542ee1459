import { watch } from "chokidar";
import { Command, InvalidArgumentError } from "commander";
import { resolve } from "node:path";
import { pluginLimits } from "../config/settings.ts";
import { openTrials, type ContractText, type PluginTrial, type TrialRequest, type Trials } from "../control/try-plugin.ts";
import { TerminalFailure, TransientFailure } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { findPluginTools } from "./plugin-tools.ts";
import { createTrialPage } from "./plugin-test-page.ts";
import { parseCount } from "./parse-count.ts";
import { readArgument } from "./read-argument.ts";
import { reportFailure } from "./report.ts";
import type { Shell } from "./shell.ts";

interface TestOptions {
  readonly on: readonly string[];
  readonly limit: number;
  readonly rows: number;
  readonly contract: readonly string[];
  readonly watch?: boolean;
}

export function testCommand(shell: Shell): Command {
  const command = new Command("test")
    .summary("try a plugin's file on real files; nothing is written")
    .description(
      "Runs a plugin's file over files, as a worker would: with its locked packages, in the sandbox. Shows what it yields for each file, what would be " +
        "set aside, what it prints, and where it fails. Nothing is published, recorded or written; no database and no Temporal are needed.",
    )
    .argument("<file>", "the plugin's Python file, or its folder with a pyproject.toml")
    .requiredOption("--on <paths...>", "files, folders (those below them that its pattern takes), globs in quotes")
    .option("--limit <files>", "try that many files at most", parseCount, 10)
    .option("--rows <number>", "show that many rows of each output", parseRows, 5)
    .option("--contract <[output=]file...>", "hold its rows against this contract, as JSON or TOML", [])
    .option("--watch", "try again whenever its file is saved, until Ctrl-C")
    .action(async (file: string, options: TestOptions) => {
      await using stack = new AsyncDisposableStack();
      const trials = await openTrialsOf(shell);
      stack.defer(() => trials.close());
      if (options.watch === true) await tryOnEachSave(shell, trials, resolve(file), options);
      else if ((await tryOnce(shell, trials, resolve(file), options)).failed > 0) process.exitCode = 1;
    });
  return withExamples(command, {
    "casparian plugin test clean.py --on data/trades.csv": "",
    "casparian plugin test clean.py --on data --limit 100 --rows 0": "every file below data that its pattern takes",
    "casparian plugin test clean.py --on 'data/**/2026-*.csv' --watch": "while you write it",
    "casparian plugin test clean.py --on data --contract trades=trades.toml": "what would this contract set aside?",
  });
}

function parseRows(text: string): number {
  const rows = Number(text);
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError("Give a whole number from 0 to 9999.");
  return rows;
}

async function openTrialsOf(shell: Shell): Promise<Trials> {
  const { stateDir, limits, plugins } = shell.settings();
  return openTrials({
    tools: await findPluginTools(shell),
    stateDir,
    limits: pluginLimits(limits),
    requireSandbox: plugins.sandbox === "require",
    gatekeeper: plugins.gatekeeper,
    log: shell.log,
    onProgress: (step) => shell.terminal.progress(step),
    signal: shell.signal,
  });
}

async function tryOnce(shell: Shell, trials: Trials, file: string, options: TestOptions): Promise<PluginTrial> {
  const { terminal } = shell;
  const request: TrialRequest = {
    file,
    on: options.on,
    cwd: process.cwd(),
    filesMax: options.limit,
    rowsShown: options.rows,
    contracts: await Promise.all(options.contract.map((text) => readContract(text, shell.signal))),
  };
  if (terminal.json) {
    const trial = await trials.run(request);
    // With --watch there is one document for each time, so each is a line.
    terminal.print(options.watch === true ? JSON.stringify(trial) : JSON.stringify(trial, null, 2));
    return trial;
  }
  const page = createTrialPage(terminal);
  let filesTried = 0;
  const trial = await trials.run(request, {
    onBegin: (begun) => {
      terminal.print(page.begin(begun));
      if (terminal.live) terminal.progress("Trying …");
    },
    onFile: (tried) => {
      terminal.print(page.file(tried));
      if (terminal.live) terminal.progress(`Tried ${(filesTried += 1)} …`);
    },
  });
  terminal.print(page.end(trial, options.watch === true));
  return trial;
}

/** `trades=trades.toml`, or a path alone. */
async function readContract(argument: string, signal: AbortSignal): Promise<ContractText> {
  const { output, path } = splitContract(argument);
  return { output, text: await readArgument(`@${path}`, signal), where: path };
}

function splitContract(argument: string): { readonly output: string | null; readonly path: string } {
  const [, output = null, path = argument] = /^([A-Za-z0-9_][A-Za-z0-9_.-]*)=(.+)$/.exec(argument) ?? [];
  return { output, path };
}

/** Ctrl-C is how this ends, so it is no failure. What fails meanwhile is said, and mended by the next save. */
async function tryOnEachSave(shell: Shell, trials: Trials, file: string, options: TestOptions): Promise<void> {
  const { terminal, signal } = shell;
  const watched = [file, ...options.contract.map((argument) => resolve(splitContract(argument).path))];
  // Editors write in several steps, or put another file in its place.
  const watcher = watch(watched, { ignoreInitial: true, awaitWriteFinish: { stabilityThreshold: 80, pollInterval: 20 } });
  let saved = Promise.withResolvers<void>();
  watcher.on("all", () => saved.resolve());
  const stopped = new Promise<void>((done) => signal.addEventListener("abort", () => done(), { once: true }));
  await new Promise<void>((done) => watcher.once("ready", done));
  try {
    while (!signal.aborted) {
      saved = Promise.withResolvers<void>();
      await tryAndSay(shell, trials, file, options);
      if (signal.aborted) break;
      terminal.note(`Waiting for ${file} to be saved; Ctrl-C ends this`);
      await Promise.race([saved.promise, stopped]);
    }
  } finally {
    await watcher.close();
  }
}

async function tryAndSay(shell: Shell, trials: Trials, file: string, options: TestOptions): Promise<void> {
  try {
    await tryOnce(shell, trials, file, options);
  } catch (error) {
    if (shell.signal.aborted) return;
    if (!(error instanceof TerminalFailure || error instanceof TransientFailure)) throw error;
    shell.terminal.clearProgress();
    reportFailure(error, { json: shell.terminal.json, debug: shell.debug });
  }
}
