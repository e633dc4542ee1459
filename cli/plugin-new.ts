import { relative } from "node:path";
import { Command } from "commander";
import { listExamples, newPlugin, type NewPlugin } from "../control/new-plugin.ts";
import { withExamples } from "./examples.ts";
import { printable } from "./format.ts";
import type { Shell } from "./shell.ts";
import { shellWord } from "./shell-word.ts";

interface NewOptions {
  readonly on?: string;
  readonly like?: string;
  readonly examples?: boolean;
}

export function newCommand(shell: Shell): Command {
  const command = new Command("new")
    .summary("write the file of a new plugin, to begin with")
    .description("Writes NAME.py: a small plugin that works as it is, to be changed. A file that is there already stays as it is.")
    .argument("[name]", "its name, or the path of its file")
    .option("--on <file>", "a file of the kind that it is to read: its pattern follows, and the next commands name it")
    .option("--like <example>", "a copy of an example that comes with this program")
    .option("--examples", "list the examples")
    .action(async (name: string | undefined, options: NewOptions) => {
      if (options.examples === true || name === undefined) {
        const examples = await listExamples();
        return shell.terminal.show(examples, () => describeExamples(examples, name === undefined && options.examples !== true));
      }
      const made = await newPlugin({ name, folder: process.cwd(), on: options.on, like: options.like });
      shell.terminal.show(made, () => describeNew(made, options));
    });
  return withExamples(command, {
    "casparian plugin new trades": "writes trades.py, for *.csv",
    "casparian plugin new trades --on data/trades.csv": "",
    "casparian plugin new orders --like fix": "a copy of the example for FIX logs",
  });
}

function describeNew({ path, name, isGuess }: NewPlugin, { on }: NewOptions): string {
  const file = printable(relative(process.cwd(), path) || path);
  return [
    `Wrote ${file}`,
    ...(isGuess ? ["It takes *.csv; change that in its MANIFEST"] : []),
    "Next:",
    `  casparian plugin test ${shellWord(file)} --on ${shellWord(on ?? "FILE")} --watch    try it on real files while you write it`,
    `  casparian plugin publish ${shellWord(file)}    let it take files, as ${name}`,
  ].join("\n");
}

function describeExamples(examples: readonly string[], unasked: boolean): string {
  const lines = examples.length === 0 ? ["No examples come with this program"] : examples;
  return [...lines, ...(unasked ? ["", "Give a name: casparian plugin new NAME [--like EXAMPLE]"] : [])].join("\n");
}
