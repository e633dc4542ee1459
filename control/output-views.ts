import type { OutputTotals } from "../db/result.ts";
import { freeName } from "../query/column-names.ts";
import { folded } from "../query/identifier.ts";

/** An output of a plugin, and how statements name it. */
export interface OutputView {
  readonly plugin: string;
  readonly output: string;
  /** The plugin's name, unless that means something else to DuckDB. */
  readonly schema: string;
  readonly name: string;
  /** Whether its name alone is enough, because no other output has it. */
  readonly isPlain: boolean;
  readonly sinks: readonly OutputTotals[];
}

/** Schemas and catalogs of DuckDB's own. */
const reserved = ["main", "temp", "memory", "system", "pg_catalog", "information_schema"];

/** The view of each output. Names that differ only by letter case are told apart by a number, because they are the same to DuckDB. */
export function outputViews(totals: readonly OutputTotals[]): readonly OutputView[] {
  const outputs = Map.groupBy(totals, ({ plugin, output }) => JSON.stringify([plugin, output]));
  const schemas = new Map<string, { readonly schema: string; readonly names: Set<string> }>();
  const taken = new Set(reserved);
  const views = [...outputs.values()].map((sinks) => {
    const { plugin, output } = sinks[0]!;
    const schema = schemas.get(plugin) ?? { schema: take(plugin, taken), names: new Set<string>() };
    schemas.set(plugin, schema);
    return { plugin, output, schema: schema.schema, name: take(output, schema.names), sinks };
  });
  const sharing = Map.groupBy(views, ({ output }) => folded(output));
  return views.map((view) => ({ ...view, isPlain: sharing.get(folded(view.output))!.length === 1 }));
}

function take(name: string, taken: Set<string>): string {
  if (taken.has(folded(name))) return freeName(name, taken);
  taken.add(folded(name));
  return name;
}
