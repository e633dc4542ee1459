import { lineageColumns } from "../domain/lineage.ts";
import { folded } from "./identifier.ts";

/**
 * By which name a view shows each column of each of several schemas: one name for all columns that are the same one. Names that
 * differ only by letter case are one column where they come from different files, and several, told apart by a number, where one file has
 * them side by side. In the order in which they come first, with the lineage columns last.
 */
export function nameColumns(schemas: readonly (readonly string[])[]): {
  readonly names: readonly string[];
  readonly nameOf: (column: string) => string;
} {
  const spellings = new Map<string, Set<string>>();
  const sideBySide = new Set<string>();
  for (const schema of schemas) {
    const before = new Set<string>();
    for (const column of schema) {
      const fold = folded(column);
      spellings.set(fold, (spellings.get(fold) ?? new Set()).add(column));
      if (before.has(fold)) sideBySide.add(fold);
      before.add(fold);
    }
  }
  const named = new Map<string, string>();
  const taken = new Set(spellings.keys());
  for (const [fold, columns] of spellings) {
    const [first, ...others] = columns as unknown as Iterable<string> & string[];
    named.set(first!, first!);
    for (const other of others) named.set(other, sideBySide.has(fold) ? freeName(other, taken) : first!);
  }
  const names = [...new Set(named.values())];
  const isLineage = (name: string): boolean => lineageColumns.some((column) => column === name);
  return {
    names: [...names.filter((name) => !isLineage(name)), ...names.filter(isLineage)],
    nameOf: (column) => named.get(column)!,
  };
}

/** Takes the name, so that nobody else gets it. */
export function freeName(name: string, taken: Set<string>): string {
  for (let n = 2; ; n += 1) {
    const candidate = `${name}_${n}`;
    if (taken.has(folded(candidate))) continue;
    taken.add(folded(candidate));
    return candidate;
  }
}
