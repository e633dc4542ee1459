import { outputTotals, type AsOf, type OutputTotals } from "../db/result.ts";
import { shownName } from "../query/identifier.ts";
import { safeUrl } from "../domain/safe-url.ts";
import { isFetched, readElsewhere } from "../sinks/readable.ts";
import type { ControlContext } from "./context.ts";
import { outputViews, type OutputView } from "./output-views.ts";

/** What `casparian query` can be asked for: an output of a plugin in one sink. */
export interface ListedOutput {
  readonly plugin: string;
  readonly output: string;
  /** How a statement names it. */
  readonly view: string;
  /** By its name alone, where no other output has it; else null. */
  readonly shortView: string | null;
  readonly files: number;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly mode: OutputTotals["mode"];
  /** The sink's URI, without passwords. */
  readonly sink: string;
  /** Of the newest result. */
  readonly committedAt: Date | null;
  /** How to read it where `casparian query` doesn't; null where it does. */
  readonly readElsewhere: string | null;
  /** Whether `casparian query` copies its rows to this machine first. */
  readonly isFetched: boolean;
}

/** All outputs that have or had rows, with what they have now or had at a time. */
export async function listOutputs({ db }: ControlContext, asOf: AsOf): Promise<readonly ListedOutput[]> {
  return outputViews(await outputTotals(db, asOf)).flatMap((view) => view.sinks.map((totals) => listed(view, totals)));
}

function listed(view: OutputView, { plugin, output, uri, mode, results, rows, sizeBytes, committedAt }: OutputTotals): ListedOutput {
  return {
    plugin,
    output,
    view: viewName(view),
    shortView: view.isPlain ? shownName(view.name) : null,
    files: results,
    rows,
    sizeBytes,
    mode,
    sink: safeUrl(uri),
    committedAt,
    readElsewhere: readElsewhere(uri),
    isFetched: isFetched(uri),
  };
}

/** `plugin.output`, with quotes where they are needed. */
export function viewName({ schema, name }: Pick<OutputView, "schema" | "name">): string {
  return `${shownName(schema)}.${shownName(name)}`;
}
