import { Command } from "commander";
import { addRule, type AddedRule } from "../control/add-rule.ts";
import { changeRule, enableRule, type RuleChange } from "../control/change-rule.ts";
import { listRules, type RuleRow } from "../control/list-rules.ts";
import { testRule, type RuleTest } from "../control/test-rule.ts";
import { backlogOptions, describeBacklog, describeBacklogFully } from "./backlog.ts";
import { withExamples } from "./examples.ts";
import { printable } from "./format.ts";
import { parsePriority } from "./quantity.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  return new Command("rule")
    .description(
      "Which files go to which plugin. A pattern without / is compared with the file's name, one with / with its path below the source. " +
        "A rule may also tag files, and another one send what is tagged to a plugin.",
    )
    .addCommand(addCommand(shell))
    .addCommand(listCommand(shell))
    .addCommand(testCommand(shell))
    .addCommand(changeCommand(shell, "remove", "remove a rule"))
    .addCommand(enableCommand(shell))
    .addCommand(changeCommand(shell, "disable", "keep a rule and let it take nothing"));
}

interface AddOptions {
  readonly tagged?: string;
  readonly source?: string;
  readonly priority?: number;
  readonly tag?: string;
  readonly backfill?: boolean;
  readonly dryRun?: boolean;
}

function addCommand(shell: Shell): Command {
  const command = new Command("add")
    .summary("send files that match to a plugin, or tag them")
    .description(
      "Sends files that match a pattern to a plugin, gives them a tag, or both. With --tagged, sends the files to a plugin that other rules give " +
        "this tag; a pattern is not needed then. Adding a rule again is fine, and changes priority and tag.",
    )
    .argument("[pattern]", "a glob, in quotes")
    .argument("[plugin]", "the plugin's name")
    .option("--tag <tag>", "give the files that match this tag")
    .option("--tagged <tag>", "only files that another rule gives this tag")
    .option("--source <name>", "only files of this source")
    .option("--priority <number>", "higher goes first; 0 unless given", parsePriority)
    .option("--backfill", "also queue the files on record that match and have not been processed")
    .option("--dry-run", "tell what the rule would take of the files on record, and add nothing")
    .action(async (first: string | undefined, second: string | undefined, options: AddOptions) => {
      // With a tag to go by, the one thing that is named is the plugin.
      const [pattern, plugin] = options.tagged !== undefined && second === undefined ? [undefined, first] : [first, second];
      await withSession(shell, {}, async (session) => {
        const request = { ...options, pattern, plugin, backfill: options.backfill === true };
        const added = await addRule(session, request, backlogOptions(shell));
        shell.terminal.show(added, () => describeAdded(added, session.running !== null));
      });
    });
  return withExamples(command, {
    "casparian rule add '*.csv' clean": "CSV files at any depth",
    "casparian rule add 'vendors/**/*.csv' clean --source inbox": "only below vendors/ of one source",
    "casparian rule add '*.csv' clean --dry-run": "what it would take of the files on record",
    "casparian rule add '*.csv' clean --backfill": "also the files that are on record already",
    "casparian rule add 'trades/**' --tag trades": "tag files",
    "casparian rule add --tagged trades clean": "and send what has the tag to a plugin",
  });
}

function describeAdded({ outcome, dryRun, rule, backlog, warnings }: AddedRule, running: boolean): string {
  const done = dryRun
    ? { added: "Would add", changed: "Would change", unchanged: "There is already" }[outcome]
    : { added: "Added", changed: "Changed", unchanged: "There is already" }[outcome];
  const lines = [`${done} ${rule.ruleId === null ? "a rule" : `rule ${rule.ruleId}`}: ${describeRule(rule)}`];
  lines.push(...warnings.map((warning) => `${warning[0]!.toUpperCase()}${warning.slice(1)}`));
  lines.push(...(dryRun ? describeBacklogFully(backlog, "rule") : describeBacklog(backlog, { running })));
  return lines.join("\n");
}

/** `*.csv of source inbox → clean, tag trades, priority 3`. */
function describeRule(rule: Omit<RuleRow, "ruleId">): string {
  const files =
    rule.tagged === null ? printable(rule.pattern) : `${rule.pattern === "*" ? "" : `${printable(rule.pattern)} `}tagged ${rule.tagged}`;
  const source = rule.source === null ? "" : ` of source ${rule.source}`;
  const target = [rule.pluginName, rule.tag === null ? null : `tag ${rule.tag}`].filter((part) => part !== null).join(", ");
  return `${files}${source} → ${target}${rule.priority === 0 ? "" : `, priority ${rule.priority}`}`;
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
  { title: "TAGGED", value: (rule) => rule.tagged ?? "", optional: true },
  {
    title: "PLUGIN",
    value: (rule) =>
      rule.pluginName === null ? "–" : `${rule.pluginName}${rule.activeVersion === null ? " (none active)" : ` ${rule.activeVersion}`}`,
    style: (rule) => (rule.pluginName !== null && rule.activeVersion === null ? "yellow" : null),
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
    .description(
      "Tells which plugins would get a file, by which rule, and why the other rules don't take it; whether its source takes it at all, and what " +
        "the record says of it. The file need not be there.",
    )
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

function describeTest(shell: Shell, test: RuleTest): string {
  const { path, source, tags, plugins, leftOut, rules } = test;
  const file = `${printable(path)}${source === null ? "" : ` of source ${source}`}`;
  const targets = plugins.map(({ plugin, version, ruleId, jobId }) => {
    return `${plugin} ${version} (rule ${ruleId}${jobId === null ? "" : `, job ${jobId}`})`;
  });
  const verdict = plugins.length === 0 ? `No plugin takes ${file}.` : `${file} goes to ${targets.join(", ")}.`;
  const lines = [verdict];
  if (tags.length > 0) lines.push(`Tags: ${tags.join(", ")}.`);
  lines.push(
    ...leftOut.map((reason) => shell.terminal.paint("yellow", `${source === null ? "But" : "No scan takes it:"} ${printable(reason)}.`)),
  );
  lines.push(...describeStanding(test));
  const list = rules.length === 0 ? "There is no rule: casparian rule add PATTERN PLUGIN" : renderTable(shell.terminal, testColumns, rules);
  return [...lines, "", list].join("\n");
}

function describeStanding({ standing }: RuleTest): readonly string[] {
  if (standing === null) return [];
  const { file, jobs, waits, queued, findings } = standing;
  const lines: string[] = [];
  if (waits) lines.push("A scan has seen it, and waits for it to settle.");
  for (const { kind, message } of findings) lines.push(`A scan could not take it: ${kind}: ${printable(message)}.`);
  if (file === null) return waits || findings.length > 0 ? lines : ["It is not on record: no scan has taken it yet."];
  const { sequence, versionId, state } = file;
  const had = jobs.map((job) => `${job.plugin} ${job.version} ${job.state} (job ${job.id})`);
  const next = queued ? ", and it waits to be planned" : "";
  lines.push(
    `On record: version ${sequence} (id ${versionId})${state === "VANISHED" ? ", vanished" : ""}; ${had.length === 0 ? "no job" : had.join(", ")}${next}.`,
  );
  return lines;
}

const testColumns: readonly Column<RuleTest["rules"][number]>[] = [
  { title: "ID", value: ({ rule }) => rule.ruleId, align: "right" },
  { title: "PATTERN", value: ({ rule }) => rule.pattern, shorten: "middle" },
  { title: "TAGGED", value: ({ rule }) => rule.tagged ?? "", optional: true },
  { title: "PLUGIN", value: ({ rule }) => rule.pluginName ?? "–" },
  { title: "TAG", value: ({ rule }) => rule.tag ?? "", optional: true },
  { title: "TAKES IT", value: ({ matches }) => (matches ? "yes" : "no"), style: ({ matches }) => (matches ? "green" : "dim") },
  { title: "WHY", value: ({ reason }) => reason, shorten: "end" },
];

function enableCommand(shell: Shell): Command {
  const command = new Command("enable")
    .summary("let a disabled rule take files again")
    .description("Lets a disabled rule take files again.")
    .argument("<id>", "the rule's id, from casparian rule list")
    .option("--backfill", "also queue the files on record that match and have not been processed")
    .option("--dry-run", "tell what the rule would take of the files on record, and enable nothing")
    .action(async (ruleId: string, options: { readonly backfill?: boolean; readonly dryRun?: boolean }) => {
      await withSession(shell, {}, async (session) => {
        const request = { ruleId, backfill: options.backfill === true, dryRun: options.dryRun === true };
        const enabled = await enableRule(session, request, backlogOptions(shell));
        shell.terminal.show({ ...enabled, change: "enable" }, () => {
          const { rule, dryRun, backlog } = enabled;
          const told = dryRun ? describeBacklogFully(backlog, "rule") : describeBacklog(backlog, { running: session.running !== null });
          return [`${dryRun ? "Would enable" : "Enabled"} rule ${ruleId}: ${describeRule(rule)}`, ...told].join("\n");
        });
      });
    });
  return withExamples(command, { "casparian rule enable 3": "", "casparian rule enable 3 --dry-run": "what it would take" });
}

function changeCommand(shell: Shell, change: Exclude<RuleChange, "enable">, summary: string): Command {
  const command = new Command(change)
    .summary(summary)
    .description(`${summary[0]!.toUpperCase()}${summary.slice(1)}. Jobs that exist are not touched.`)
    .argument("<id>", "the rule's id, from casparian rule list")
    .action(async (id: string) => {
      await withSession(shell, {}, async (session) => {
        const rule = await changeRule(session, id, change);
        shell.terminal.show({ rule, change }, () => {
          const done = `${{ remove: "Removed", disable: "Disabled" }[change]} rule ${id}: ${describeRule(rule)}`;
          if (change !== "remove" || rule.origin !== "MANIFEST") return done;
          return `${done}\nIt came from the plugin's MANIFEST and comes back when the plugin is published; casparian rule disable keeps it off`;
        });
      });
    });
  return withExamples(command, { [`casparian rule ${change} 3`]: "" });
}
