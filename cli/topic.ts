import { Command } from "commander";
import { listTopics, type TopicPlace } from "../control/list-topics.ts";
import { setTopics } from "../control/set-topic.ts";
import { WrongUse } from "../domain/failure.ts";
import { safeUrl } from "../domain/safe-url.ts";
import type { TopicConfig } from "../domain/plugin.ts";
import { parseTopicConfig } from "../domain/topic.ts";
import { withExamples } from "./examples.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";
import { readArgument } from "./read-argument.ts";

export function createCommand(shell: Shell): Command {
  return new Command("topic")
    .description("Where a plugin's rows go. A topic that nobody has set goes to parquet://output/<topic> under the working folder.")
    .addCommand(setCommand(shell))
    .addCommand(listCommand(shell));
}

function setCommand(shell: Shell): Command {
  const command = new Command("set")
    .summary("set where an output goes")
    .description("Sets where outputs of a plugin go, from its next job on. What is written already stays where it is.")
    .argument("<plugin>", "the plugin's name")
    .argument("<topic>", "the output's name; or all as one JSON object, or @FILE with it")
    .argument("[uri]", "a sink such as parquet://./output")
    .option("--mode <mode>", "append, replace, overwrite or error (default: append)")
    .action(async (plugin: string, topic: string, uri: string | undefined, options: { readonly mode?: string }) => {
      const topics = await parseTopics(topic, uri, options.mode, shell.signal);
      await withSession(shell, {}, async (session) => {
        const changed = await setTopics(session, plugin, topics);
        const places = await listTopics(session, plugin);
        shell.terminal.show({ changed, topics: places }, () => {
          const done = changed.length === 0 ? "Nothing to change" : `Set ${changed.map((name) => `${plugin}/${name}`).join(", ")}`;
          return `${done}\n\n${renderTable(shell.terminal, topicColumns, places)}`;
        });
      });
    });
  return withExamples(command, {
    "casparian topic set clean trades parquet://./output/trades": "",
    "casparian topic set clean trades parquet:///data/lake/trades": "an absolute path",
    "casparian topic set clean trades 'parquet://output/trades?partition=trade_date,venue'": "in folders by the values of columns",
    "casparian topic set clean trades postgres://lake/sales.trades": "a table, at [connections.lake] of casparian.toml",
    "casparian topic set clean trades 'duckdb://output/lake.duckdb?table=trades'": "a table in a DuckDB file",
    "casparian topic set clean trades csv://./output/trades": "CSV; with jsonl:// one JSON object a line",
    [`casparian topic set clean '{"trades": {"uri": "parquet://./output", "mode": "append"}}'`]: "",
  });
}

async function parseTopics(topic: string, uri: string | undefined, mode: string | undefined, signal: AbortSignal): Promise<TopicConfig> {
  if (uri !== undefined) return parseTopicConfig(JSON.stringify({ [topic]: { uri, ...(mode === undefined ? {} : { mode }) } }));
  if (!/^[@{]/.test(topic))
    throw new WrongUse(`no sink is given for the topic ${topic}`, `casparian topic set PLUGIN ${topic} parquet://./output`);
  if (mode !== undefined) throw new WrongUse("--mode goes with one topic and its sink", `In JSON, each topic has its "mode"`);
  return parseTopicConfig(await readArgument(topic, signal));
}

function listCommand(shell: Shell): Command {
  const command = new Command("list")
    .summary("list where rows go")
    .description("Lists the topics that are set, and where the active plugins' own topics go by default.")
    .argument("[plugin]", "only this plugin's")
    .action(async (plugin: string | undefined) => {
      await withSession(shell, {}, async (session) => {
        const topics = await listTopics(session, plugin);
        shell.terminal.show(topics, () => (topics.length === 0 ? "No topic." : renderTable(shell.terminal, topicColumns, topics)));
      });
    });
  return withExamples(command, { "casparian topic list": "", "casparian topic list clean": "" });
}

/** How topics are listed, here and by `plugin show`. */
export const topicColumns: readonly Column<TopicPlace>[] = [
  { title: "PLUGIN", value: (topic) => topic.plugin },
  { title: "TOPIC", value: (topic) => topic.output },
  { title: "GOES TO", value: (topic) => safeUrl(topic.uri), shorten: "middle" },
  { title: "MODE", value: (topic) => topic.mode },
  { title: "SET", value: (topic) => (topic.configured ? "yes" : "default"), style: (topic) => (topic.configured ? null : "dim") },
];
