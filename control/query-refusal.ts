import type { AsOf } from "../db/result.ts";
import { messageOf, TerminalFailure, WrongUse } from "../domain/failure.ts";
import { safeUrl } from "../domain/safe-url.ts";
import { closest } from "../domain/suggest.ts";
import { folded } from "../query/identifier.ts";
import { isFetched, readElsewhere, readerOf } from "../sinks/readable.ts";
import { viewName } from "./list-outputs.ts";
import type { OutputView } from "./output-views.ts";

/** Throws OUTPUT_ELSEWHERE for rows in sinks that are not read, OUTPUT_EMPTY for an output that has none at the time. */
export function requireReadable(views: readonly OutputView[], asOf: AsOf): void {
  for (const view of views) {
    if (view.sinks.every(({ results }) => results === 0)) throw empty(view, asOf);
    if (!isReadable(view)) throw elsewhere(view);
  }
}

/** Whether there are rows, all of them in sinks that `casparian query` reads. */
export function isReadable({ sinks }: OutputView): boolean {
  const used = sinks.filter(({ results }) => results > 0);
  return used.length > 0 && used.every(({ uri }) => readerOf(uri) !== null);
}

/** Whether some of its rows have to be fetched, so that nobody should wait for them who doesn't ask for them by name. */
export function isFetchedView({ sinks }: OutputView): boolean {
  return sinks.some(({ uri, results }) => results > 0 && isFetched(uri));
}

function empty(view: OutputView, asOf: AsOf): TerminalFailure {
  return new TerminalFailure({
    code: "OUTPUT_EMPTY",
    message:
      asOf === null
        ? `${viewName(view)} has no rows: results of other jobs have taken the place of all that it had`
        : `${viewName(view)} had no rows at ${asOf}`,
    hint:
      asOf === null
        ? "Ask for a time at which it had: --as-of TIME; casparian lineage shows what replaced a result"
        : `casparian sql "select job_id, committed_at, replaced_at from cf_job_output where output_name = '${view.output}'" shows since when it has`,
  });
}

function elsewhere(view: OutputView): TerminalFailure {
  const used = view.sinks.filter(({ results }) => results > 0);
  const others = used.flatMap(({ uri, results }) => {
    const how = readElsewhere(uri);
    return how === null ? [] : [{ place: `${results} of its results are in ${safeUrl(uri)}`, how }];
  });
  return new TerminalFailure({
    code: "OUTPUT_ELSEWHERE",
    message: `casparian query doesn't read ${viewName(view)}: ${others.map(({ place }) => place).join(", ")}`,
    hint: `Read them ${[...new Set(others.map(({ how }) => how))].join("; ")}. casparian query --tables shows where each output is`,
  });
}

/** Where DuckDB doesn't know a table: which one may have been meant. */
export function explainUnknown(error: unknown, views: readonly OutputView[]): unknown {
  const [, unknown] = /^Catalog Error: Table with name (.+?) does not exist/.exec(messageOf(error)) ?? [];
  if (unknown === undefined || !(error instanceof TerminalFailure)) return error;
  const sharing = views.filter(({ output }) => folded(output) === folded(unknown));
  if (sharing.length > 1) {
    return new WrongUse(`${sharing.length} outputs are named ${unknown}`, `Say which one: ${sharing.map(viewName).join(", ")}`);
  }
  return new TerminalFailure({
    code: "UNKNOWN_OUTPUT",
    message: `there is no output ${unknown}`,
    hint: hintFor(unknown, views),
    cause: error,
  });
}

function hintFor(unknown: string, views: readonly OutputView[]): string {
  if (views.length === 0) return "No job has put out rows yet: casparian status shows what is done, casparian doctor why nothing is";
  const near = closest(unknown, [...views.map(({ output }) => output), ...views.map(viewName)]);
  if (near !== null) return `Did you mean ${near}? casparian query --tables lists all`;
  return views.length > 5 ? "casparian query --tables lists the outputs" : `Outputs: ${views.map(viewName).join(", ")}`;
}
