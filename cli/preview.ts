import { relative, resolve } from "node:path";
import { Command } from "commander";
import { previewPath, type PreviewResult } from "../control/preview-file.ts";
import { WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { printable } from "./format.ts";
import { parseCount } from "./parse-count.ts";
import { describePreview } from "./preview-page.ts";
import { parseSize } from "./quantity.ts";
import type { Shell } from "./shell.ts";
import { shellWord } from "./shell-word.ts";

interface PreviewCommandOptions {
  readonly rows: number;
  readonly sample: number;
  readonly plugin?: string;
}

export function createCommand(shell: Shell): Command {
  const command = new Command("preview")
    .description(
      "Says what a file is: text or binary, encoding, line ends, delimiter, header, and what its columns hold, over the whole file up to a size. " +
        "A column has a type only where every value has it. Nothing is run or changed.",
    )
    .argument("<path>", "the file; of a zip file also a member: drop.zip!/inner.csv")
    .option("--rows <number>", "show that many rows", parseCount, 5)
    .option("--sample <size>", "look at that much of it at most", parseSize, 8_000_000)
    .option("--plugin <file.py>", "write a starting plugin that reads it; never over a file that is there")
    .action(async (asked: string, { rows, sample, plugin }: PreviewCommandOptions) => {
      const [, path = asked, member] = /^(.+\.zip)!\/(.+)$/i.exec(asked) ?? [];
      if (plugin !== undefined && !plugin.endsWith(".py"))
        throw new WrongUse(`${plugin} is no Python file`, "Give it a name that ends in .py");
      if (sample < 1) throw new WrongUse("a sample of nothing shows nothing", "Give --sample 1MB or the like");
      const options = { rowsShown: rows, bytesMax: sample, member };
      const preview = await previewPath(resolve(path), options, plugin === undefined ? undefined : resolve(plugin));
      shell.terminal.show(preview, () => [describePreview(shell.terminal, preview), ...nextSteps(preview, asked)].join("\n"));
    });
  return withExamples(command, {
    "casparian preview trades.csv": "",
    "casparian preview trades.csv --plugin trades.py": "and write a plugin that reads it",
    "casparian preview drop.zip!/inner.csv": "a member of an archive",
  });
}

function nextSteps({ plugin, example, content: { kind } }: PreviewResult, asked: string): readonly string[] {
  const file = printable(asked.replace(/!\/.*$/, ""));
  if (plugin !== null) {
    const written = printable(relative(process.cwd(), plugin) || plugin);
    return ["", `Wrote ${written}`, `Next: casparian plugin test ${shellWord(written)} --on ${shellWord(file)}`];
  }
  if (kind === "empty" || (kind === "binary" && example === null)) return [];
  return [
    "",
    `Next: ${example === null ? `casparian preview ${shellWord(file)} --plugin NAME.py` : `casparian plugin new NAME --like ${example} --on ${shellWord(file)}`}`,
  ];
}
