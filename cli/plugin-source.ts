import { resolve } from "node:path";
import { Command } from "commander";
import { exportPlugin, filesOf } from "../control/export-plugin.ts";
import { showPlugin } from "../control/list-plugins.ts";
import { withExamples } from "./examples.ts";
import { count, printable } from "./format.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";

export function sourceCommand(shell: Shell): Command {
  const command = new Command("source")
    .summary("print a version's code, or write its files to a folder")
    .description("Gives back the code of a published version, as it is on record: all files of one that is a folder.")
    .argument("<name>", "the plugin's name")
    .argument("[version]", "the version (default: the active one)")
    .option("--to <folder>", "write the files there; nothing is overwritten")
    .action(async (name: string, version: string | undefined, { to }: { readonly to?: string }) => {
      await withSession(shell, {}, async (session) => {
        const detail = await showPlugin(session, name, version);
        if (to !== undefined) {
          const written = await exportPlugin(detail, resolve(to));
          shell.terminal.show(
            { written },
            () => `Wrote ${count(written.length, "file")} of ${name} ${detail.plugin.version} to ${printable(to)}`,
          );
          return;
        }
        const files = filesOf(detail);
        shell.terminal.show(Object.fromEntries(files), () => [...files].map(([path, text]) => titled(path, text, files.size)).join("\n"));
      });
    });
  return withExamples(command, { "casparian plugin source clean": "", "casparian plugin source clean 2 --to ./clean-2": "" });
}

function titled(path: string, text: string, files: number): string {
  return files === 1 ? text : `# ${"-".repeat(10)} ${printable(path)}\n${text}`;
}
