import { Command } from "commander";
import {
  listComparisons,
  showComparison,
  type ComparisonRow,
  type ComparisonSummary,
  type FileComparison,
} from "../control/list-comparisons.ts";
import type { PluginDetail } from "../control/list-plugins.ts";
import { describeOutput } from "./comparison-page.ts";
import { withExamples } from "./examples.ts";
import { absoluteTime, count, duration, number, printable, relativeTime, shortHash } from "./format.ts";
import { moreThan, parseCount } from "./parse-count.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export function comparisonsCommand(shell: Shell): Command {
  const command = new Command("comparisons")
    .summary("list the comparisons of a plugin's versions")
    .description("Lists comparisons that ended, the newest first.")
    .argument("[plugin]", "only of this plugin")
    .option("--limit <number>", "that many at most", parseCount, 50)
    .action(async (plugin: string | undefined, { limit }: { readonly limit: number }) => {
      await withSession(shell, {}, async (session) => {
        const found = await listComparisons(session, plugin, limit + 1);
        const shown = found.slice(0, limit);
        shell.terminal.show(shown, () => {
          if (shown.length === 0) return "No comparison. Make one: casparian plugin compare PLUGIN@VERSION";
          return [renderTable(shell.terminal, summaryColumns, shown), ...(found.length > limit ? [moreThan(limit)] : [])].join("\n");
        });
      });
    });
  return withExamples(command, { "casparian plugin comparisons clean": "" });
}

export function comparisonCommand(shell: Shell): Command {
  const command = new Command("comparison")
    .summary("show a comparison: which files, what differs")
    .description("Shows what two versions of a plugin made of the same files, as it was kept.")
    .argument("<id>", "its number, as casparian plugin comparisons shows it")
    .action(async (id: string) => {
      await withSession(shell, {}, async (session) => {
        const comparison = await showComparison(session, id);
        shell.terminal.show(comparison, () => describeComparison(shell.terminal, comparison, { withFiles: true }));
      });
    });
  return withExamples(command, { "casparian plugin comparison 3": "" });
}

const summaryColumns: readonly Column<ComparisonSummary>[] = [
  { title: "ID", value: ({ id }) => id, align: "right" },
  { title: "PLUGIN", value: ({ plugin }) => plugin },
  { title: "VERSION", value: ({ after }) => after.version },
  { title: "AGAINST", value: ({ before }) => before.version },
  { title: "RESULT", value: (one) => resultOf(one), style: ({ verdict }) => (verdict === "SAME" ? "green" : "yellow") },
  { title: "SKIPPED", value: ({ filesSkipped }) => (filesSkipped === 0 ? "" : number(filesSkipped)), align: "right", optional: true },
  { title: "ENDED", value: ({ endedAt, actor }) => `${relativeTime(endedAt)} by ${actor}`, shorten: "end" },
];

type Verdict = Pick<ComparisonSummary, "id" | "verdict" | "filesCompared" | "filesDifferent" | "isComplete">;

function resultOf({ verdict, filesCompared, filesDifferent, isComplete }: Omit<Verdict, "id">): string {
  if (verdict === "SAME") return `same on ${count(filesCompared, "file")}`;
  return `different on ${number(filesDifferent)} of ${count(filesCompared, "file")}${isComplete ? "" : ", and ended there"}`;
}

/** `comparison 3: same on 100 files`. */
export function describeVerdict(comparison: Verdict): string {
  return `comparison ${comparison.id}: ${resultOf(comparison)}`;
}

/** How a version became the active one last; empty for one that never did. */
export function describePromotion(promotion: PluginDetail["promotion"]): string {
  if (promotion === null) return "";
  const { promotedAt, actor, replaced, comparison, differencesAccepted } = promotion;
  const how = `${absoluteTime(promotedAt)} by ${actor}`;
  if (replaced === null) return how;
  const accepted = differencesAccepted ? ", accepted" : "";
  return `${how}, in the place of ${replaced}; ${comparison === null ? "they were not compared" : `${describeVerdict(comparison)}${accepted}`}`;
}

/** One file, for people: what it came to, and why. */
export function describeFile(terminal: Terminal, file: FileComparison): string {
  const { outcome, reason, failures, outputs } = file;
  const name = `${printable(file.path)} (version ${file.sequence})`;
  if (outcome === "skipped") return `${terminal.paint("dim", "skipped")}    ${name}: ${printable(reason ?? "")}`;
  if (outcome === "same") return `${terminal.paint("green", "same")}       ${name}`;
  const texts: string[] = [];
  if (failures.before !== null) texts.push(`before failed: ${failures.before.message}`);
  if (failures.after !== null) texts.push(`after failed: ${failures.after.message}`);
  for (const { output, rows, added, removed, changed, setAside } of outputs) {
    const parts = [
      rows.before === null ? "only after yields it" : rows.after === null ? "only before yields it" : "",
      changed === 0 ? "" : `${number(changed)} changed`,
      removed === 0 ? "" : `${number(removed)} removed`,
      added === 0 ? "" : `${number(added)} added`,
      setAside.before === setAside.after ? "" : `${number(setAside.before)} → ${number(setAside.after)} set aside`,
    ].filter((part) => part !== "");
    if (parts.length > 0) texts.push(`${output}: ${parts.join(", ")}`);
  }
  const label = outcome === "failed" ? terminal.paint("red", "both fail") : terminal.paint("yellow", "different");
  const told = texts.length === 0 ? "other columns, or other rows set aside" : printable(texts.join("; "));
  return `${label}${outcome === "failed" ? "" : " "} ${name}: ${told}`;
}

/** All of it, for people. */
export function describeComparison(terminal: Terminal, comparison: ComparisonRow, { withFiles }: { readonly withFiles: boolean }): string {
  const { plugin, before, after, result, request, filesFailed, filesSkipped, verdict } = comparison;
  const files = withFiles ? ["", ...result.files.map((file) => describeFile(terminal, file))] : [];
  const facts = [
    terminal.paint("bold", `Comparison ${comparison.id}: ${plugin} ${after.version} against ${before.version}`),
    `before: ${before.version} (${shortHash(before.artifactHash)}); after: ${after.version} (${shortHash(after.artifactHash)})`,
    `by ${comparison.actor}, ${absoluteTime(comparison.endedAt)}; ${describeRequest(request)}`,
  ];
  const lines = [...facts, ...files, ...result.outputs.flatMap((output) => ["", ...describeOutput(terminal, output, request)]), ""];
  if (result.timing !== null) lines.push(describeTiming(result.timing));
  if (filesFailed > 0) lines.push(`${count(filesFailed, "file")} on which both versions fail`);
  if (filesSkipped > 0) lines.push(`${count(filesSkipped, "file")} skipped, whose bytes can't be had`);
  lines.push(terminal.paint(verdict === "SAME" ? "green" : "yellow", describeVerdict(comparison)));
  if (withFiles) return lines.join("\n");
  const accept = verdict === "SAME" ? "" : " --accept-differences";
  return [...lines, `Next: casparian plugin activate ${plugin}@${after.version}${accept}`].join("\n");
}

function describeRequest({ on, source, limit, allVersions, key, tolerance }: ComparisonRow["request"]): string {
  return [
    on === null ? "files that its rules take" : `files ${printable(on)}`,
    source === null ? "" : `of ${source}`,
    allVersions ? "with their older versions" : "",
    `at most ${number(limit)}`,
    key.length === 0 ? "no key" : `key ${printable(key.join(", "))}`,
    tolerance === null ? "" : `tolerance ${tolerance}`,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

function describeTiming({ before, after }: NonNullable<ComparisonRow["result"]["timing"]>): string {
  const ratio = before > 0 ? ` (${(after / before).toFixed(2)} times as long)` : "";
  return `own time of the plugin: before ${duration(before)}, after ${duration(after)}${ratio}`;
}
