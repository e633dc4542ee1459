import { readFileSync } from "node:fs";
import { styleText } from "node:util";
import { Command } from "commander";
import { reportFailure } from "./report.ts";
import type { GlobalOptions } from "./shell.ts";
import { ignoreBrokenPipes } from "./terminal.ts";
import { verbs } from "./verbs.ts";

/** Runs one command line, without the program's name; sets the process's exit code and returns when everything is tidied up. */
export async function main(args: readonly string[]): Promise<void> {
  ignoreBrokenPipes();
  // Failures are reported in the form that was asked for even where the arguments can't be parsed.
  const asked = { json: args.includes("--json"), debug: args.includes("--debug") };
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    process.exitCode = reportFailure(error, asked);
  }
}

/** The program with the one verb that is asked for; of the others, what the list of commands shows. */
async function createProgram(args: readonly string[]): Promise<Command> {
  const program = withGlobalOptions(new Command("casparian"))
    .description("Turns the files that you receive into tables that you can trust.")
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .configureHelp({ showGlobalOptions: true, styleTitle: (title) => styleText("bold", title) })
    .addHelpText("after", overview);
  const { verbName, options } = peek(args);
  // Some verbs have a --version of their own, which the program's would take away from them.
  if (verbName === undefined) program.version(version(), "-V, --version", "show the version");
  for (const verb of verbs) {
    if (verb.name !== verbName) {
      program.command(verb.name).summary(verb.summary);
      continue;
    }
    const [{ createCommand }, { createShell }] = await Promise.all([verb.load(), import("./shell.ts")]);
    program.addCommand(inherit(program, createCommand(createShell(options))).summary(verb.summary));
  }
  return program;
}

const overview = `
Begin with:
  casparian source add inbox ./inbox        files come from this folder
  casparian plugin publish clean.py         this code reads them
  casparian scan --wait                     look once, process, and stop
  casparian start                           keep looking, until Ctrl-C

It works on the folder that it is started in: casparian.toml, .casparian/ and output/.
Exit codes: 0 done, 1 failed, 2 wrong use, 3 a service cannot be reached.`;

function withGlobalOptions(command: Command): Command {
  return command
    .option("--home <folder>", "work on this folder (default: CASPARIAN_HOME, or the current one)")
    .option("--database <url>", 'the record\'s database: "embedded" or postgres://…')
    .option("--temporal <address>", 'the Temporal server: "embedded" or host:port')
    .option("--json", "print one JSON document; errors as JSON on stderr")
    .option("--debug", "log everything, and show stacks");
}

/** The verb and the options for all of them, before the verb's own options are known. */
function peek(args: readonly string[]): { readonly verbName: string | undefined; readonly options: GlobalOptions } {
  const probe = withGlobalOptions(new Command())
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  const { operands } = probe.parseOptions([...args]);
  return { verbName: operands[0] === "help" ? operands[1] : operands[0], options: probe.opts<GlobalOptions>() };
}

function inherit(parent: Command, command: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(command, child);
  return command;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return manifest.version;
}
