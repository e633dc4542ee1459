import { Command } from "commander";
import { backfillNamed, type Backlog } from "../control/backfill.ts";
import { backlogOptions, describeBacklogFully } from "./backlog.ts";
import { withExamples } from "./examples.ts";
import { count } from "./format.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";

interface Options {
  readonly rule?: string;
  readonly source?: string;
  readonly allVersions?: boolean;
  readonly dryRun?: boolean;
}

export function createCommand(shell: Shell): Command {
  const command = new Command("backfill")
    .description(
      "Queues the files on record that a plugin takes and has not had: the newest version of each file that is there. They are processed " +
        "after what newly arrives, by all rules as they are then. Doing it again, also after Ctrl-C, queues only what is missing.",
    )
    .argument("[plugin]", "only what this plugin has not had (default: any plugin)")
    .option("--rule <id>", "only files that this rule takes")
    .option("--source <name>", "only files of this source")
    .option("--all-versions", "older versions as well, of sources that keep snapshots")
    .option("--dry-run", "tell what would be queued, and queue nothing")
    .action(async (plugin: string | undefined, options: Options) => {
      const dryRun = options.dryRun === true;
      await withSession(shell, {}, async (session) => {
        const request = { plugin, ruleId: options.rule, source: options.source, allVersions: options.allVersions === true };
        const backlog = await backfillNamed(session, request, { ...backlogOptions(shell), insert: !dryRun });
        shell.terminal.show({ dryRun, ...backlog }, () => describe(backlog, { dryRun, running: session.running !== null }));
      });
    });
  return withExamples(command, {
    "casparian backfill clean --dry-run": "how many files clean has not had",
    "casparian backfill clean --source inbox": "",
    "casparian backfill --rule 3": "",
  });
}

function describe(backlog: Backlog, { dryRun, running }: { readonly dryRun: boolean; readonly running: boolean }): string {
  const { files, missing, waiting, queued } = backlog;
  if (dryRun) return describeBacklogFully(backlog, "backfill").join("\n");
  if (files === 0) return "No file on record goes there: casparian rule list shows the rules, casparian files --unmatched what they leave";
  if (missing === 0)
    return `Nothing to queue: ${count(files, "file")} on record ${files === 1 ? "goes" : "go"} there, and every one was processed or is queued`;
  const already = waiting === 0 ? "" : `; ${count(waiting, "file version")} waited already`;
  const next = running
    ? "They are processed after what newly arrives: casparian status"
    : "The next casparian start or scan --wait processes them";
  return `Queued ${count(queued, "file version")}${already}\n${next}`;
}
