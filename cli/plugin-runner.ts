import { Command } from "commander";
import { bindPlugin } from "../control/runners.ts";
import { WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";

export function runnerCommand(shell: Shell): Command {
  const command = new Command("runner")
    .summary("have a plugin run on a runner, or in the worker again")
    .description(
      "Binds a plugin to a runner's name: its files are sent there and its rows come back. Files that are planned already stay as they are.",
    )
    .argument("<name>", "the plugin's name")
    .argument("[runner]", "the runner's name: casparian runner list")
    .option("--none", "run it in the worker again")
    .action((name: string, runner: string | undefined, { none = false }: { readonly none?: boolean }) => {
      if ((runner === undefined) !== none) throw new WrongUse("say which runner, or --none", `casparian plugin runner ${name} RUNNER`);
      return withSession(shell, {}, async (session) => {
        const before = await bindPlugin(session, shell.settings().runners.trusted, name, runner ?? null);
        shell.terminal.show({ plugin: name, runner: runner ?? null, before }, () =>
          runner === undefined
            ? `${name} runs in the worker`
            : `${name} runs on runner ${runner}; casparian runner list shows who is connected`,
        );
      });
    });
  return withExamples(command, { "casparian plugin runner scans gpu": "", "casparian plugin runner scans --none": "" });
}
