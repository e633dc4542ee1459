import { Command } from "commander";
import { addRule, type AddedRule } from "../control/add-rule.ts";
import { changeRule, type RuleChange } from "../control/change-rule.ts";
import { listRules, type RuleRow } from "../control/list-rules.ts";
import { testRule, type RuleTest } from "../control/test-rule.ts";
import { withExamples } from "./examples.ts";
import { count, printable } from "./format.ts";
import { parsePriority } from "./quantity.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("rule")
    .description(
      "Which files go to which plugin. A pattern without / is compared with the file's name, one with / with its path below the source.",
    )
    .addCommand(addCommand(shell))
    .addCommand(listCommand(shell))
    .addCommand(testCommand(shell))
    .addCommand(changeCommand(shell, "remove", "remove a rule"))
    .addCommand(changeCommand(shell, "enable", "let a disabled rule take files again"))
    .addCommand(changeCommand(shell, "disable", "keep a rule and let it take nothing"));
}

interface AddOptions {
  readonly source?: string;
  readonly priority?: number;
  readonly tag?: string;
  readonly backfill?: boolean;
}

function addCommand(shell: Shell): Command {
  const command = new Command("add")
    .summary("send files that match to a plugin")
    .description("Sends files that match a pattern to a plugin. Adding it again is fine, and changes priority and tag.")
    .argument("<pattern>", "a glob, in quotes")
    .argument("<plugin>", "the plugin's name")
    .option("--source <name>", "only files of this source")
    .option("--priority <number>", "higher goes first; 0 unless given", parsePriority)
    .option("--tag <text>", "a word of your own to find the rule by")
    .option("--backfill", "also queue the files on record that match and have not been processed")
    .action(async (pattern: string, plugin: string, options: AddOptions) => {
      await withSession(shell, {}, async (session) => {
        const added = await addRule(session, { pattern, plugin, ...options, backfill: options.backfill === true });
        shell.terminal.show(added, () => describeAdded(added, session.running !== null));
      });
    });
  return withExamples(command, {
    "casparian rule add '*.csv' clean": "CSV files at any depth",
    "casparian rule add 'vendors/**/*.csv' clean --source inbox": "only below vendors/ of one source",
    "casparian rule add '*.csv' clean --backfill": "also the files that are on record already",
  });
}

function describeAdded({ outcome, rule, matchingFiles, backfilled }: AddedRule, running: boolean): string {
  const done = { added: "Added", changed: "Changed", unchanged: "There is already" }[outcome];
  const lines = [`${done} rule ${rule.ruleId}: ${describeRule(rule)}`];
  if (!rule.enabled) lines.push(`It is disabled: casparian rule enable ${rule.ruleId}`);
  if (rule.activeVersion === null)
    lines.push(`No version of ${rule.pluginName} is active: casparian plugin activate ${rule.pluginName} VERSION`);
  lines.push(...describeBackfill(matchingFiles, backfilled, running));
  return lines.join("\n");
}

function describeRule(rule: RuleRow): string {
  const source = rule.source === null ? "" : ` of source ${rule.source}`;
  return `${printable(rule.pattern)}${source} → ${rule.pluginName}${rule.priority === 0 ? "" : `, priority ${rule.priority}`}`;
}

/** What a person should know of files that were on record before a rule or a plugin came. */
export function describeBackfill(matching: number, backfilled: number, running: boolean): readonly string[] {
  if (matching === 0) return [];
  if (backfilled > 0) return [`Queued ${count(backfilled, "file")} on record${running ? "" : "; the next start or scan processes them"}`];
  return [
    `${count(matching, "file")} on record ${matching === 1 ? "matches" : "match"} and ${matching === 1 ? "has" : "have"} not been processed by it: add --backfill to queue ${matching === 1 ? "it" : "them"}`,
  ];
}

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list the rules")
    .description("Lists the rules, the most urgent first.")
    .action(async () => {
      await withSession(shell, {}, async (session) => {
        const rules = await listRules(session);
        shell.terminal.show(rules, () =>
          rules.length === 0
            ? "No rule. Send files to a plugin: casparian rule add PATTERN PLUGIN"
            : renderTable(shell.terminal, ruleColumns, rules),
        );
      });
    });
  return withExamples(command, { "casparian rule list": "" });
}

const ruleColumns: readonly Column<RuleRow>[] = [
  { title: "ID", value: (rule) => rule.ruleId, align: "right" },
  { title: "PATTERN", value: (rule) => rule.pattern, shorten: "middle" },
  {
    title: "PLUGIN",
    value: (rule) => `${rule.pluginName}${rule.activeVersion === null ? " (none active)" : ` ${rule.activeVersion}`}`,
    style: (rule) => (rule.activeVersion === null ? "yellow" : null),
  },
  { title: "SOURCE", value: (rule) => rule.source ?? "all" },
  { title: "PRIORITY", value: (rule) => String(rule.priority), align: "right" },
  { title: "STATE", value: (rule) => (rule.enabled ? "enabled" : "disabled"), style: (rule) => (rule.enabled ? null : "dim") },
  { title: "FROM", value: (rule) => rule.origin.toLowerCase() },
  { title: "TAG", value: (rule) => rule.tag ?? "", optional: true },
];

function testCommand(shell: Shell): Command {
  const command = new Command("test")
    .summary("which rules take a file, and why the others don't")
    .description("Tells which plugins would get a file, by which rule, and why the other rules don't take it. The file need not be there.")
    .argument("<path>", "a file's path, or its path below its source")
    .option("--source <name>", "the source that it is of")
    .action(async (path: string, options: { readonly source?: string }) => {
      await withSession(shell, {}, async (session) => {
        const tested = await testRule(session, { path, source: options.source });
        shell.terminal.show(tested, () => describeTest(shell, tested));
      });
    });
  return withExamples(command, {
    "casparian rule test inbox/trades.csv": "",
    "casparian rule test vendors/a.csv --source inbox": "",
  });
}

function describeTest(shell: Shell, { path, source, plugins, rules }: RuleTest): string {
  const file = `${printable(path)}${source === null ? "" : ` of source ${source}`}`;
  const verdict =
    plugins.length === 0
      ? `No plugin takes ${file}.`
      : `${file} goes to ${plugins.map(({ plugin, version, ruleId }) => `${plugin} ${version} (rule ${ruleId})`).join(", ")}.`;
  if (rules.length === 0) return `${verdict}\nThere is no rule: casparian rule add PATTERN PLUGIN`;
  return `${verdict}\n\n${renderTable(shell.terminal, testColumns, rules)}`;
}

const testColumns: readonly Column<RuleTest["rules"][number]>[] = [
  { title: "ID", value: ({ rule }) => rule.ruleId, align: "right" },
  { title: "PATTERN", value: ({ rule }) => rule.pattern, shorten: "middle" },
  { title: "PLUGIN", value: ({ rule }) => rule.pluginName },
  { title: "TAKES IT", value: ({ matches }) => (matches ? "yes" : "no"), style: ({ matches }) => (matches ? "green" : "dim") },
  { title: "WHY", value: ({ reason }) => reason, shorten: "end" },
];

function changeCommand(shell: Shell, change: RuleChange, summary: string): Command {
  const command = new Command(change)
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}. Jobs that exist are not touched.`)
    .argument("<id>", "the rule's id, from casparian rule list")
    .action(async (id: string) => {
      await withSession(shell, {}, async (session) => {
        const rule = await changeRule(session, id, change);
        shell.terminal.show({ rule, change }, () => {
          const done = `${{ remove: "Removed", enable: "Enabled", disable: "Disabled" }[change]} rule ${id}: ${describeRule(rule)}`;
          if (change !== "remove" || rule.origin !== "MANIFEST") return done;
          return `${done}\nIt came from the plugin's MANIFEST and comes back when the plugin is published; casparian rule disable keeps it off`;
        });
      });
    });
  return withExamples(command, { [`casparian rule ${change} 3`]: "" });
}
