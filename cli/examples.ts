import type { Command } from "commander";

/** Adds examples to a command's help: command lines with what they do. */
export function withExamples(command: Command, examples: Readonly<Record<string, string>>): Command {
  const width = Math.max(...Object.keys(examples).map((line) => line.length));
  const lines = Object.entries(examples).map(([line, meaning]) => `  ${line.padEnd(width)}  ${meaning}`.trimEnd());
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
