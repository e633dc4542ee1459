import type { FileComparison, OutputComparison, ReasonCount, RowCounts, Sides } from "../../domain/comparison.ts";
import { examplesMax } from "./differ-rows.ts";

/** The comparisons of one output over several files as one; at least one. */
export function sumUp(parts: readonly OutputComparison[]): OutputComparison {
  const total = (of: (part: OutputComparison) => number): number => parts.reduce((sum, part) => sum + of(part), 0);
  const rows = (side: "before" | "after"): number | null => {
    const found = parts.flatMap((part) => part.rows[side] ?? []);
    return found.length === 0 ? null : found.reduce((sum, each) => sum + each, 0);
  };
  return {
    output: parts[0]!.output,
    rows: { before: rows("before"), after: rows("after") },
    same: total(({ same }) => same),
    added: total(({ added }) => added),
    removed: total(({ removed }) => removed),
    changed: total(({ changed }) => changed),
    setAside: { before: total(({ setAside }) => setAside.before), after: total(({ setAside }) => setAside.after) },
    columnsAdded: distinct(parts.flatMap(({ columnsAdded }) => columnsAdded)),
    columnsRemoved: distinct(parts.flatMap(({ columnsRemoved }) => columnsRemoved)),
    columnsRetyped: distinct(parts.flatMap(({ columnsRetyped }) => columnsRetyped)),
    isKeyed: parts.some(({ isKeyed }) => isKeyed),
    keysRepeated: total(({ keysRepeated }) => keysRepeated),
    changes: addUp(parts.flatMap(({ changes }) => changes)),
    isAsideSame: parts.every(({ isAsideSame }) => isAsideSame),
    reasons: { before: reasonsOf(parts, "before"), after: reasonsOf(parts, "after") },
    examples: (["changed", "removed", "added"] as const).flatMap((kind) =>
      parts.flatMap(({ examples }) => examples.filter((example) => example.kind === kind)).slice(0, examplesMax),
    ),
  };
}

/** What is kept of each output of each file. */
export function countsOf({ output, rows, same, added, removed, changed, setAside }: RowCounts): RowCounts {
  return { output, rows, same, added, removed, changed, setAside };
}

/** Seconds of both versions over the files of which both made something, so that the same work is compared. */
export function timeOf(files: readonly FileComparison[]): Sides<number> | null {
  const both = files.filter(({ failures, timing: { before, after } }) => {
    return failures.before === null && failures.after === null && before !== null && after !== null;
  });
  if (both.length === 0) return null;
  const total = (side: "before" | "after"): number => both.reduce((sum, { timing }) => sum + timing[side]!, 0);
  return { before: total("before"), after: total("after") };
}

function distinct<T>(items: readonly T[]): readonly T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

function addUp<T extends { readonly rows: number }>(items: readonly T[]): readonly T[] {
  const sums = new Map<string, T>();
  for (const item of items) {
    const key = JSON.stringify({ ...item, rows: 0 });
    sums.set(key, { ...item, rows: (sums.get(key)?.rows ?? 0) + item.rows });
  }
  return [...sums.values()].toSorted((a, b) => b.rows - a.rows);
}

const reasonsMax = 20;

function reasonsOf(parts: readonly OutputComparison[], side: "before" | "after"): readonly ReasonCount[] {
  return addUp(parts.flatMap(({ reasons }) => reasons[side])).slice(0, reasonsMax);
}
