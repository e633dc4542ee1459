import { Command } from "commander";
import { distrustRunner, listRunners, runnerKey, trustRunner, type KnownRunner } from "../control/runners.ts";
import { WrongUse } from "../domain/failure.ts";
import { createLog } from "../workers/log.ts";
import { runRunner } from "../workers/runner.ts";
import { withExamples } from "./examples.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  const command = new Command("runner")
    .description(
      `Runs plugins for a worker on another machine, for plugins that need a special host: sandboxed as in the worker, with files that the worker
sends and rows that it takes, encrypted. docs/runner.md says how to set both up.`,
    )
    .option("--connect <address>", "the worker: tcp://HOST:PORT, its [runners] listen")
    .option("--worker-key <key>", "the worker's public key: casparian runner key, where the worker runs")
    .option("--concurrency <n>", "how many plugins run at once (default: one for each processor)")
    .action((options: RunnerFlags) => run(shell, options))
    .addCommand(keyCommand(shell))
    .addCommand(trustCommand(shell))
    .addCommand(listCommand(shell))
    .addCommand(removeCommand(shell));
  return withExamples(command, { "casparian runner --connect tcp://etl.example:7644 --worker-key curve:…": "" });
}

interface RunnerFlags {
  readonly connect?: string;
  readonly workerKey?: string;
  readonly concurrency?: string;
}

async function run(shell: Shell, { connect, workerKey, concurrency }: RunnerFlags): Promise<void> {
  const { terminal } = shell;
  if (connect === undefined || !/^tcp:\/\/[^/\s:]+:\d{1,5}$/.test(connect))
    throw new WrongUse(`--connect needs the worker's address, and got ${connect ?? "none"}`, "Give it as tcp://HOST:PORT");
  if (workerKey === undefined || !/^curve:[A-Za-z0-9+/]{43}=$/.test(workerKey))
    throw new WrongUse("--worker-key needs the worker's public key", "Where the worker runs, casparian runner key prints it");
  const settings = shell.settings(concurrency === undefined ? {} : { concurrency });
  const log = createLog(settings.logLevel, terminal.json ? "json" : "text");
  const onProgress = (text: string) => terminal.progress(text);
  const onWelcome = () => {
    terminal.clearProgress();
    terminal.note(`Running plugins for ${connect}. Ctrl-C stops it.`);
  };
  terminal.progress(`Connecting to ${connect}`);
  await runRunner({ settings, connect, workerKey, log, onProgress, onWelcome }, shell.signal);
  terminal.clearProgress();
}

function keyCommand(shell: Shell): Command {
  const command = new Command("key")
    .summary("print the public key of this folder, which is made if need be")
    .description("Prints this folder's public key: a runner's, to be trusted where its worker runs, or a worker's, for --worker-key.")
    .action(async () => {
      const key = await runnerKey(shell.settings().stateDir);
      shell.terminal.show(key, () => key.publicKey);
    });
  return withExamples(command, { "casparian runner key": "" });
}

function trustCommand(shell: Shell): Command {
  const command = new Command("trust")
    .summary("let a runner run plugins for this folder's worker")
    .description(
      "Trusts a runner's public key under a name, in this home's file trusted-runners. It is given files of the plugins that are bound to that name; " +
        "several keys may have one name and share its jobs.",
    )
    .argument("<name>", "the runner's name")
    .argument("<key>", "its public key: casparian runner key, where it runs")
    .action((name: string, key: string) =>
      withSession(shell, {}, async (session) => {
        const changed = await trustRunner(session, shell.settings().runners.trusted, name, key);
        shell.terminal.show({ name, publicKey: key, changed }, () => `${name} is ${changed ? "trusted" : "trusted already"}`);
      }),
    );
  return withExamples(command, { "casparian runner trust gpu curve:MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqow=": "" });
}

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list the trusted runners, who is connected, and their plugins")
    .description("Lists the runners that this folder's worker trusts, how many of each are connected, and which plugins they run.")
    .action(() =>
      withSession(shell, {}, async (session) => {
        const { stateDir, runners } = shell.settings();
        const known = await listRunners(session, stateDir, runners.trusted);
        shell.terminal.show(known, () =>
          known.length === 0 ? "No runner. Trust one: casparian runner trust NAME KEY" : renderTable(shell.terminal, columns, known),
        );
      }),
    );
  return withExamples(command, { "casparian runner list": "" });
}

const columns: readonly Column<KnownRunner>[] = [
  { title: "RUNNER", value: ({ name }) => name },
  { title: "KEYS", value: ({ publicKeys }) => (publicKeys.length === 0 ? "not trusted" : String(publicKeys.length)) },
  {
    title: "CONNECTED",
    value: ({ connected }) => (connected.length === 0 ? "no" : connected.map(({ host, slots }) => `${host} (${slots} at once)`).join(", ")),
    style: ({ connected }) => (connected.length === 0 ? "dim" : "green"),
  },
  { title: "PLUGINS", value: ({ plugins }) => (plugins.length === 0 ? "–" : plugins.join(", ")), shorten: "end" },
];

function removeCommand(shell: Shell): Command {
  const command = new Command("remove")
    .summary("take a runner's trust away")
    .description("Takes all keys of a runner's name out of trusted-runners; it is given no further job.")
    .argument("<name>", "the runner's name")
    .action((name: string) =>
      withSession(shell, {}, async (session) => {
        const publicKeys = await distrustRunner(session, shell.settings().runners.trusted, name);
        shell.terminal.show({ name, publicKeys }, () => `${name} is no longer trusted`);
      }),
    );
  return withExamples(command, { "casparian runner remove gpu": "" });
}
