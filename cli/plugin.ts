import { resolve } from "node:path";
import { Command, Option } from "commander";
import { listPlugins, showPlugin, type GrantedPlugin, type PluginDetail } from "../control/list-plugins.ts";
import { publishPlugin, type PublishedPlugin } from "../control/publish-plugin.ts";
import { openKey, ownKeyRing, type SigningKey } from "../control/signing-keys.ts";
import { WrongUse } from "../domain/failure.ts";
import { parseTopicConfig } from "../domain/topic.ts";
import { backlogOptions, describeBacklog } from "./backlog.ts";
import { withExamples } from "./examples.ts";
import { absoluteTime, printable, relativeTime, shortHash } from "./format.ts";
import { activateCommand, rejectCommand, rollBackCommand } from "./plugin-state.ts";
import { compareCommand } from "./plugin-compare.ts";
import { comparisonCommand, comparisonsCommand, describePromotion } from "./plugin-comparison.ts";
import { describeGatekeeper, describeReport, summarizeReport } from "./gatekeeper.ts";
import { newCommand } from "./plugin-new.ts";
import { runnerCommand } from "./plugin-runner.ts";
import { testCommand } from "./plugin-test.ts";
import { describeGrant, grantCommand, revokeCommand } from "./plugin-grant.ts";
import { describeSignature, signCommand } from "./plugin-sign.ts";
import { sourceCommand } from "./plugin-source.ts";
import { findPluginTools } from "./plugin-tools.ts";
import { describeIdentity } from "./whoami.ts";
import { readArgument } from "./read-argument.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { asStored, renderTable, type Column } from "./table.ts";
import { topicColumns } from "./topic.ts";

export function createCommand(shell: Shell): Command {
  return new Command("plugin")
    .description("The code that reads files: one Python file each, published under a version that never changes.")
    .addCommand(newCommand(shell))
    .addCommand(testCommand(shell))
    .addCommand(publishCommand(shell))
    .addCommand(listCommand(shell))
    .addCommand(showCommand(shell))
    .addCommand(sourceCommand(shell))
    .addCommand(compareCommand(shell))
    .addCommand(comparisonsCommand(shell))
    .addCommand(comparisonCommand(shell))
    .addCommand(activateCommand(shell))
    .addCommand(rollBackCommand(shell))
    .addCommand(rejectCommand(shell))
    .addCommand(signCommand(shell))
    .addCommand(runnerCommand(shell))
    .addCommand(grantCommand(shell))
    .addCommand(revokeCommand(shell));
}

interface PublishOptions {
  readonly name?: string;
  readonly version?: string;
  readonly topicConfig?: string;
  readonly force?: boolean;
  readonly stage?: boolean;
  readonly sign?: string | true;
  readonly backfill?: boolean;
}

function publishCommand(shell: Shell): Command {
  const command = new Command("publish")
    .summary("publish a plugin's file and make it the active version")
    .description(
      "Publishes a plugin: reads its MANIFEST without running it, locks its dependencies, stores code and lock, and lets it take files from now on. " +
        "Publishing the same content again changes nothing.",
    )
    .argument("<file>", "the plugin's Python file, or its folder with a pyproject.toml")
    .option("--name <name>", "its name (default: the file's name without .py, or the project's)")
    .option("--version <version>", "its version (default: the next whole number)")
    .option("--topic-config <json>", "where its outputs go, as JSON or @FILE")
    .addOption(new Option("--backfill", "also queue the files on record that match and that this version has not had").conflicts("stage"))
    .option("--sign [key]", "sign it with your key of this name, or your only one")
    .option("--stage", "store it only: it takes no files until you activate it")
    .option("--force", "publish although the environment lacks something that is imported")
    .action(async (file: string, options: PublishOptions) => {
      const topics =
        options.topicConfig === undefined ? undefined : parseTopicConfig(await readArgument(options.topicConfig, shell.signal));
      const tools = await findPluginTools(shell);
      const { gatekeeper, requireComparison } = shell.settings().plugins;
      await withSession(shell, {}, async (session) => {
        const request = {
          file: resolve(file),
          name: options.name,
          version: options.version,
          topics,
          force: options.force === true,
          stage: options.stage === true,
          key: await chooseKey(shell, options.sign),
          backfill: options.backfill === true,
          gatekeeper,
          requireComparison,
          tools,
        };
        const published = await publishPlugin(session, request, backlogOptions(shell));
        shell.terminal.show(published, () => describePublished(shell, published, session.running !== null));
      });
    });
  return withExamples(command, {
    "casparian plugin publish clean.py": "",
    "casparian plugin publish clean.py --name trades --version 2026.11": "",
    [`casparian plugin publish clean.py --topic-config '{"trades": {"uri": "parquet://./output", "mode": "append"}}'`]: "",
    "casparian plugin publish ./clean": "a folder, with modules of its own",
    "casparian plugin publish clean.py --backfill": "process what is on record with the new version",
    "casparian plugin publish clean.py --stage": "keep the active version for now",
  });
}

/** Where only signed plugins run, publishing one that would not is a mistake. */
async function chooseKey(shell: Shell, asked: string | true | undefined): Promise<SigningKey | undefined> {
  if (asked !== undefined) return openKey(ownKeyRing(process.env), asked === true ? undefined : asked);
  if (!shell.settings().plugins.requireSignature) return undefined;
  throw new WrongUse(
    "only signed plugins run here (require_signature in casparian.toml)",
    "Add --sign; casparian key new NAME makes a key",
  );
}

function describePublished(shell: Shell, published: PublishedPlugin, running: boolean): string {
  const { plugin, outcome, retired, backlog } = published;
  const title = `${plugin.name} ${plugin.version}`;
  const andRetired = retired === null ? "" : `, and ${retired} is retired`;
  const done = {
    published: `Published ${title} (${shortHash(plugin.artifactHash)})${retired === null ? "" : `; ${retired} is retired`}`,
    staged: `Staged ${title} (${shortHash(plugin.artifactHash)}): it takes no files until it is activated`,
    activated: `${title} was staged with just this content: it is active now${andRetired}`,
    reactivated: `${title} has just this content: it is active again${andRetired}`,
    unchanged: `${title} is already published with just this content${plugin.state === "ACTIVE" ? "" : `, and is ${plugin.state.toLowerCase()}`}`,
  }[outcome];
  const lines = [done, ...published.warnings.map((warning) => `warning: ${printable(warning, { keepLines: true })}`)];
  if (published.gatekeeper !== null) lines.push(...describeGatekeeper(published.gatekeeper, shell.settings().plugins.gatekeeper));
  for (const pattern of published.rulesAdded) lines.push(`It takes ${printable(pattern)}, as its MANIFEST says`);
  for (const pattern of published.rulesRemoved)
    lines.push(`It no longer takes ${printable(pattern)}, which its MANIFEST does not name any more`);
  if (published.topicsSet.length > 0) lines.push(`Set where its rows go: ${published.topicsSet.join(", ")}`);
  if (backlog !== null) lines.push(...describeBacklog(backlog, { running }));
  lines.push(nextStep(published, running));
  return lines.join("\n");
}

function nextStep({ plugin, rules }: PublishedPlugin, running: boolean): string {
  if (plugin.state !== "ACTIVE") return `Let it take files: casparian plugin activate ${plugin.name} ${plugin.version}`;
  if (rules.length === 0) return `No rule sends files to it yet: casparian rule add '*.csv' ${plugin.name}`;
  if (!rules.some((rule) => rule.enabled)) return `Its rules are disabled: casparian rule enable ${rules[0]!.ruleId}`;
  return running ? "Next: casparian jobs list" : "Next: casparian scan --wait, or casparian start";
}

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list the plugins")
    .description("Lists every version of every plugin.")
    .action(async () => {
      await withSession(shell, {}, async (session) => {
        const plugins = await listPlugins(session);
        shell.terminal.show(plugins, () =>
          plugins.length === 0
            ? "No plugin. Publish one: casparian plugin publish FILE"
            : renderTable(shell.terminal, pluginColumns, plugins),
        );
      });
    });
  return withExamples(command, { "casparian plugin list": "" });
}

const stateStyles = { ACTIVE: "green", STAGED: "yellow", RETIRED: "dim", REJECTED: "red" } as const;

const pluginColumns: readonly Column<GrantedPlugin>[] = [
  { title: "PLUGIN", value: (plugin) => plugin.name },
  { title: "VERSION", value: (plugin) => plugin.version },
  { title: "STATE", value: (plugin) => plugin.state, style: (plugin) => stateStyles[plugin.state] },
  { title: "TAKES", value: (plugin) => plugin.manifest.patterns.join(" "), shorten: "end" },
  { title: "TOPIC", value: (plugin) => plugin.manifest.topic },
  { title: "GRANTS", value: ({ grants }) => grants.map(({ target }) => target).join(" "), optional: true, shorten: "end" },
  { title: "ARTIFACT", value: (plugin) => shortHash(plugin.artifactHash) },
  { title: "PUBLISHED", value: (plugin) => `${relativeTime(plugin.publishedAt)} by ${plugin.publisher}`, shorten: "end" },
];

function showCommand(shell: Shell): Command {
  const command = new Command("show")
    .summary("show a plugin: versions, rules, topics, code")
    .description("Shows a plugin with its versions, rules and topics.")
    .argument("<name>", "the plugin's name")
    .argument("[version]", "this version (default: the active one)")
    .option("--code", "print its source code and nothing else")
    .option("--lock", "print its locked requirements and nothing else")
    .action(async (name: string, version: string | undefined, options: { readonly code?: boolean; readonly lock?: boolean }) => {
      await withSession(shell, {}, async (session) => {
        const detail = await showPlugin(session, name, version, shell.settings().plugins.trustedKeys);
        shell.terminal.show(detail, () => {
          if (options.code === true) return asStored(shell.terminal, detail.sourceCode);
          return options.lock === true ? asStored(shell.terminal, detail.environment.lockfile) : describePlugin(shell, detail);
        });
      });
    });
  return withExamples(command, {
    "casparian plugin show clean": "",
    "casparian plugin show clean 1 --code": "the code of an earlier version, as it was published",
  });
}

function describePlugin(shell: Shell, detail: PluginDetail): string {
  const { plugin, folder, signature, gatekeeper, grants, promotion, environment, versions, rules, topics } = detail;
  const rows: readonly (readonly [string, string])[] = [
    ["state", `${plugin.state}${plugin.rejectedReason === null ? "" : `: ${plugin.rejectedReason}`}`],
    ["artifact", plugin.artifactHash],
    ["files", folder === null ? "" : [folder.entry, ...Object.keys(folder.files)].join(", ")],
    ["environment", `${environment.hash} (Python ${environment.python})`],
    ["takes", plugin.manifest.patterns.join(" ") || "nothing by itself"],
    ["topic", plugin.manifest.topic],
    ...(plugin.manifest.process === "fresh" ? ([["process", "a fresh interpreter for each file"]] as const) : []),
    ["published", `${absoluteTime(plugin.publishedAt)} by ${plugin.publisher}`],
    ["activated", describePromotion(promotion)],
    ["publisher", plugin.publisherIdentity === null ? "" : describeIdentity(plugin.publisherIdentity)],
    ["signed", describeSignature(signature)],
    ["gatekeeper", summarizeReport(gatekeeper)],
    ["grants", grants.map(describeGrant).join(", ")],
    ["description", plugin.manifest.description ?? ""],
    ["versions", versions.map(({ version, state }) => (state === "RETIRED" ? version : `${version} (${state.toLowerCase()})`)).join(", ")],
    [
      "rules",
      rules
        .map((rule) => `${rule.pattern}${rule.source === null ? "" : ` in ${rule.source}`}${rule.enabled ? "" : " (disabled)"}`)
        .join(", ") || "none",
    ],
  ];
  const facts = rows.filter(([, value]) => value !== "").map(([name, value]) => `${name.padEnd(12)} ${printable(value)}`);
  return [
    `${plugin.name} ${plugin.version}`,
    ...facts,
    ...describeReport(shell.terminal, gatekeeper),
    "",
    renderTable(shell.terminal, topicColumns.slice(1), topics),
  ].join("\n");
}
