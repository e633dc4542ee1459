import { relative } from "node:path";
import type { FileTrial, PluginTrial } from "../control/try-plugin.ts";
import { describeObjections } from "./gatekeeper.ts";
import { bytes, count, duration, number, printable } from "./format.ts";
import { describeRows } from "./query-table.ts";
import { shellWord } from "./shell-word.ts";
import { renderTable, type Column } from "./table.ts";
import type { Terminal } from "./terminal.ts";

type OutputTrial = FileTrial["outputs"][number];
type AsideTrial = FileTrial["setAside"][number];

/** What a trial looks like for people, piece by piece as it goes on. Columns are shown once and then only where they differ. */
export interface TrialPage {
  begin(trial: PluginTrial): string;
  file(file: FileTrial): string;
  end(trial: PluginTrial, watching: boolean): string;
}

export function createTrialPage(terminal: Terminal): TrialPage {
  const shown = new Map<string, string>();
  return {
    begin: ({ plugin, environment }) => {
      const made = environment.built ? `built in ${duration(environment.seconds)}` : `ready in ${duration(environment.seconds)}`;
      const topic = `yields ${plugin.topic} unless it says otherwise`;
      const takes = plugin.patterns.length === 0 ? "names no pattern" : `takes ${plugin.patterns.join(" ")}`;
      return [
        `${terminal.paint("bold", printable(plugin.name))}: ${printable(takes)}, ${topic}`,
        `environment: Python ${environment.python}, ${count(environment.packages, "locked package")}, ${made}`,
      ].join("\n");
    },
    file: (file) => describeFile(terminal, file, shown),
    end: describeEnd,
  };
}

function describeFile(terminal: Terminal, file: FileTrial, shown: Map<string, string>): string {
  const { failure, outputs, setAside, logs } = file;
  const lines = ["", `${terminal.paint("bold", shortPath(file.path))}  ${headline(terminal, file)}`];
  if (failure !== null) lines.push(...describeFailure(terminal, failure));
  for (const output of outputs) lines.push(...describeOutput(terminal, output, shown));
  for (const aside of setAside) lines.push(...describeAside(terminal, aside));
  for (const { stream, text } of logs) lines.push(...indented(text, `  ${stream} │ `));
  return lines.join("\n");
}

function headline(terminal: Terminal, { failure, outputs, setAside, timing, peakMemoryBytes }: FileTrial): string {
  const rows = outputs.reduce((sum, output) => sum + output.rows, 0);
  const aside = setAside.reduce((sum, each) => sum + each.rows, 0);
  const what =
    failure === null
      ? terminal.paint(aside === 0 ? "green" : "yellow", `${count(rows, "row")}${aside === 0 ? "" : `, ${number(aside)} set aside`}`)
      : terminal.paint("red", `failed: ${failure.code}${failure.line === null ? "" : ` in line ${failure.line}`}`);
  return [what, ...(timing === null ? [] : [describeTiming(timing)]), ...(peakMemoryBytes > 0 ? [bytes(peakMemoryBytes)] : [])].join(", ");
}

function describeTiming({ total, plugin, transport, process }: NonNullable<FileTrial["timing"]>): string {
  if (plugin === null || transport === null || process === null) return duration(total);
  return `${duration(total)} (plugin ${duration(plugin)}, transport ${duration(transport)}, process ${duration(process)})`;
}

function describeFailure(terminal: Terminal, failure: NonNullable<FileTrial["failure"]>): readonly string[] {
  return [
    ...indented(failure.message, "  "),
    ...(failure.traceback === null ? [] : indented(failure.traceback, "  │ ")),
    ...(failure.hint === null ? [] : indented(failure.hint, `  ${terminal.paint("cyan", "hint:")} `, "        ")),
  ];
}

function describeOutput(terminal: Terminal, output: OutputTrial, shown: Map<string, string>): readonly string[] {
  const { columns, rows, changes } = output;
  const types = JSON.stringify(columns.map(({ name, type }) => [name, type]));
  const known = shown.get(output.output) === types;
  shown.set(output.output, types);
  const title = `  ${terminal.paint("bold", output.output)}: ${count(rows, "row")}, ${count(columns.length, "column")}${known ? " as before" : ""}`;
  return [
    title,
    ...(known ? [] : indented(renderTable(terminal, columnColumns(rows), columns), "    ")),
    ...describeChanges(changes),
    ...(output.first.length === 0
      ? []
      : indented(describeRows(inset(terminal), columns, { rows: output.first, total: rows }, "--rows"), "    ")),
  ];
}

function describeChanges(changes: readonly string[] | null): readonly string[] {
  if (changes === null) return [];
  if (changes.length === 0) return ["    its columns are those of the contract"];
  return ["    other than in the contract:", ...changes.map((change) => `      ${printable(change)}`)];
}

function columnColumns(rows: number): readonly Column<OutputTrial["columns"][number]>[] {
  const nulls = (amount: number): string => (amount === 0 ? "" : amount === rows ? "all" : number(amount));
  return [
    { title: "COLUMN", value: ({ name }) => name },
    { title: "TYPE", value: ({ type }) => type, shorten: "end" },
    { title: "NULLS", value: (column) => nulls(column.nulls), align: "right", optional: true },
  ];
}

function describeAside(terminal: Terminal, { output, rows, reasons, first }: AsideTrial): readonly string[] {
  const more = first.length > 0 && rows > first.length ? [`    … and ${number(rows - first.length)} more (--rows)`] : [];
  return [
    `  ${terminal.paint("yellow", `set aside from ${output}`)}: ${count(rows, "row")}`,
    ...indented(renderTable(inset(terminal), reasonColumns, reasons), "    "),
    ...(first.length === 0 ? [] : indented(renderTable(inset(terminal), rejectedColumns, first), "    ")),
    ...more,
  ];
}

const reasonColumns: readonly Column<AsideTrial["reasons"][number]>[] = [
  { title: "ROWS", value: ({ rows }) => number(rows), align: "right" },
  { title: "COLUMN", value: ({ column }) => column ?? "", optional: true },
  { title: "REASON", value: ({ reason }) => reason, shorten: "end" },
];

const rejectedColumns: readonly Column<AsideTrial["first"][number]>[] = [
  { title: "ROW", value: ({ rowNumber }) => number(rowNumber), align: "right" },
  { title: "POSITION", value: ({ filePosition }) => filePosition ?? "", optional: true, shorten: "end" },
  { title: "REASON", value: ({ reasons }) => reasons.map(({ reason }) => reason).join("; "), shorten: "end" },
  { title: "VALUES", value: ({ raw }) => raw, shorten: "end" },
];

function describeEnd({ plugin, files, failed, filesLeft, filesNotTaken, warnings, gatekeeper }: PluginTrial, watching: boolean): string {
  const aside = files.reduce((sum, { setAside }) => sum + setAside.reduce((rows, each) => rows + each.rows, 0), 0);
  const done = failed === 0 ? "the plugin reads all of them" : `the plugin fails on ${number(failed)} of them`;
  const lines = ["", ...warnings.map((warning) => `warning: ${printable(warning, { keepLines: true })}`)];
  lines.push(...describeObjections(gatekeeper));
  lines.push(`${count(files.length, "file")} tried: ${done}${aside === 0 ? "" : `, and ${count(aside, "row")} would be set aside`}`);
  if (filesLeft > 0) lines.push(`${count(filesLeft, "more file")} left out: --limit ${files.length + filesLeft} tries them, too`);
  if (filesNotTaken > 0) lines.push(`${count(filesNotTaken, "other file")} below the folder: its pattern does not take them`);
  if (failed === 0 && !watching) lines.push(`Next: casparian plugin publish ${shellWord(shortPath(plugin.path))}`);
  return lines.join("\n");
}

/** Tables are set in by four columns. */
function inset(terminal: Terminal): Terminal {
  return { ...terminal, width: terminal.width - 4 };
}

function indented(text: string, first: string, others = first): readonly string[] {
  const lines = printable(text.trimEnd(), { keepLines: true }).split("\n");
  return lines.map((line, index) => `${index === 0 ? first : others}${line}`.trimEnd());
}

/** As a person would name it from here. */
function shortPath(path: string): string {
  const near = relative(process.cwd(), path);
  return printable(near === "" || near.startsWith("..") ? path : near);
}
