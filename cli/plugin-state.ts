import { Command } from "commander";
import { activatePlugin, rollBackPlugin, type ActivatedPlugin } from "../control/activate-plugin.ts";
import type { ControlContext } from "../control/context.ts";
import { parsePluginReference } from "../control/plugin-reference.ts";
import { rejectPlugin, type RejectedPlugin } from "../control/reject-plugin.ts";
import { WrongUse } from "../domain/failure.ts";
import { backlogOptions, describeBacklog } from "./backlog.ts";
import { withExamples } from "./examples.ts";
import { printable } from "./format.ts";
import { describeVerdict } from "./plugin-comparison.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";

const backfillOption = ["--backfill", "also queue the files on record that match and that this version has not had"] as const;

interface ActivateOptions {
  readonly backfill?: boolean;
  readonly comparison?: string;
  readonly acceptDifferences?: boolean;
}

export function activateCommand(shell: Shell): Command {
  const command = new Command("activate")
    .summary("let another version of a plugin take files")
    .description(
      "Makes a version of a plugin the one that takes files from now on, with the rules of its MANIFEST. What was processed stays.",
    )
    .argument("<name>", "the plugin's name, or both: clean@2")
    .argument("[version]", "the version")
    .option(...backfillOption)
    .option("--comparison <id>", "with this comparison as its proof (default: the newest of the two versions)")
    .option("--accept-differences", "although the comparison found differences; kept with your name")
    .action((name: string, version: string | undefined, options: ActivateOptions) => {
      const chosen = nameVersion(name, version);
      const { comparison, acceptDifferences } = options;
      const required = shell.settings().plugins.requireComparison;
      return activate(shell, options, (context, backfill) =>
        activatePlugin(context, chosen.name, chosen.version, {
          ...backfill,
          comparison,
          acceptDifferences: acceptDifferences === true,
          required,
        }),
      );
    });
  return withExamples(command, {
    "casparian plugin activate clean 1": "",
    "casparian plugin activate clean@2 --backfill": "process what is on record with it, too",
    "casparian plugin activate clean@2 --accept-differences": "after looking at casparian plugin comparison",
  });
}

/** `clean 2` or `clean@2`. */
function nameVersion(name: string, version: string | undefined): { readonly name: string; readonly version: string } {
  const referenced = version === undefined ? parsePluginReference(name) : { name, version };
  if (referenced.version === undefined)
    throw new WrongUse(`no version of ${name} is named`, `Name one: casparian plugin activate ${name}@2`);
  return { name: referenced.name, version: referenced.version };
}

export function rollBackCommand(shell: Shell): Command {
  const command = new Command("rollback")
    .summary("go back to the version that was active before")
    .description(
      "Makes the version that was active before the present one the one that takes files again. What was processed stays; once more goes forward again.",
    )
    .argument("<name>", "the plugin's name")
    .option(...backfillOption)
    .action((name: string, options: ActivateOptions) =>
      activate(shell, options, (context, backfill) => rollBackPlugin(context, name, backfill)),
    );
  return withExamples(command, { "casparian plugin rollback clean": "" });
}

type Activate = (
  context: ControlContext,
  options: ReturnType<typeof backlogOptions> & { readonly insert: boolean },
) => Promise<ActivatedPlugin>;

async function activate(shell: Shell, options: ActivateOptions, work: Activate): Promise<void> {
  await withSession(shell, {}, async (session) => {
    const activated = await work(session, { ...backlogOptions(shell), insert: options.backfill === true });
    shell.terminal.show(activated, () => {
      const title = `${activated.plugin.name} ${activated.plugin.version}`;
      const retired = activated.before === null ? "" : `; ${activated.before} is retired`;
      const done = activated.changed ? `${title} is active${retired}` : `${title} is active already`;
      const proof = activated.comparison === null ? [] : [`Promoted with ${describeVerdict(activated.comparison)}`];
      return [done, ...proof, ...describeBacklog(activated.backlog, { running: session.running !== null })].join("\n");
    });
  });
}

export function rejectCommand(shell: Shell): Command {
  const command = new Command("reject")
    .summary("keep a version from ever running again")
    .description(
      "Rejects a version for good: its jobs that wait will fail with your reason, and the same content can't be published again. What it made stays.",
    )
    .argument("<name>", "the plugin's name")
    .argument("<version>", "the version")
    .requiredOption("--why <text>", "the reason, which is kept and shown")
    .action(async (name: string, version: string, { why }: { readonly why: string }) => {
      await withSession(shell, {}, async (session) => {
        const rejected = await rejectPlugin(session, name, version, why);
        shell.terminal.show(rejected, () => describeRejected(rejected));
      });
    });
  return withExamples(command, { 'casparian plugin reject clean 3 --why "it drops the second page"': "" });
}

function describeRejected({ plugin, changed, wasActive }: RejectedPlugin): string {
  const title = `${plugin.name} ${plugin.version}`;
  if (!changed) return `${title} is rejected already: ${printable(plugin.rejectedReason ?? "")}`;
  const lines = [`${title} is rejected: it never runs again`];
  if (wasActive) {
    lines.push(
      "No version is active now, so files that match get no job of it",
      `Choose another: casparian plugin activate ${plugin.name} VERSION --backfill, or publish one that is right`,
    );
  }
  return lines.join("\n");
}
