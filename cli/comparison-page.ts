import type { ComparisonRow, OutputComparison, RowExample } from "../control/list-comparisons.ts";
import { count, number, printable } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** One output, for people: how columns, rows and what is set aside differ. */
export function describeOutput(terminal: Terminal, output: OutputComparison, { key }: ComparisonRow["request"]): readonly string[] {
  const { rows, same, added, removed, changed, isKeyed, keysRepeated, changes } = output;
  const amount = (value: number | null): string => (value === null ? "not yielded" : count(value, "row"));
  const counts = [
    `${number(same)} same`,
    ...(changed > 0 ? [`${number(changed)} changed`] : []),
    ...(removed > 0 ? [`${number(removed)} removed`] : []),
    ...(added > 0 ? [`${number(added)} added`] : []),
  ];
  const lines = [
    `${terminal.paint("bold", printable(output.output))}: before ${amount(rows.before)}, after ${amount(rows.after)}: ${counts.join(", ")}`,
    ...output.columnsAdded.map(({ name, type }) => `  column added: ${printable(name)} (${type})`),
    ...output.columnsRemoved.map(({ name, type }) => `  column removed: ${printable(name)} (${type})`),
    ...output.columnsRetyped.map(({ name, types }) => `  other type: ${printable(name)} (${types.before} → ${types.after})`),
  ];
  if (changes.length > 0) lines.push(`  rows that changed, by column: ${changes.map(describeChange).join(", ")}`);
  if (key.length > 0 && !isKeyed)
    lines.push(`  it has not all columns of the key (${printable(key.join(", "))}), so it was compared without`);
  if (keysRepeated > 0) lines.push(`  ${count(keysRepeated, "key")} more than once in a file: which of these rows changed is a guess`);
  return [...lines, ...describeAside(output), ...output.examples.flatMap(describeExample)];
}

function describeChange({ column, rows }: OutputComparison["changes"][number]): string {
  return `${printable(column)} (${number(rows)})`;
}

function describeAside({ setAside, isAsideSame, reasons }: OutputComparison): readonly string[] {
  if (setAside.before + setAside.after === 0) return [];
  const told = `  set aside: before ${number(setAside.before)}, after ${number(setAside.after)}${isAsideSame ? ", the same" : ""}`;
  if (isAsideSame) return [told];
  const list = (side: "before" | "after"): readonly string[] =>
    reasons[side].map(({ column, reason, rows }) => {
      return `    ${side}: ${number(rows)} × ${column === null ? "" : `${printable(column)} `}${printable(reason)}`;
    });
  return [told, ...list("before"), ...list("after")];
}

const marks = { added: "+", removed: "-", changed: "~" } as const;

function describeExample({ kind, path, row, values }: RowExample): readonly string[] {
  const place = `row ${row.after ?? row.before} of ${printable(path)}`;
  const shown = values.map(({ column, before, after }) => {
    const value =
      kind === "changed" && before !== after ? `${textOf(before)} → ${textOf(after)}` : textOf(kind === "removed" ? before : after);
    return `${printable(column)}=${value}`;
  });
  return [`  ${marks[kind]} ${place}: ${shown.join(", ")}`];
}

function textOf(value: string | null): string {
  return value === null ? "null" : printable(value);
}
