import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputTotals, resultsOf, type AsOf } from "../db/result.ts";
import { attach, confineTo, filesOf, lock, openEngine, type Engine } from "../query/engine.ts";
import { mayMention, tablesIn } from "../query/mentions.ts";
import { inItsWords, runStatement, writeParquet, type QueryRows } from "../query/statement.ts";
import { folded } from "../query/identifier.ts";
import { createView, type ViewRequest } from "../query/view.ts";
import type { ControlContext } from "./context.ts";
import { outputViews, type OutputView } from "./output-views.ts";
import { openResults, type OpeningAll } from "./query-sources/open-results.ts";
import type { OpenedResults, ViewPart } from "./query-sources/source.ts";
import { explainUnknown, isFetchedView, isReadable, requireReadable } from "./query-refusal.ts";

export type { QueryColumn, QueryRows, RowBatch } from "../query/statement.ts";

export interface QueryRequest extends OpeningAll {
  readonly sql: string;
  /** Null for what is current. */
  readonly asOf: AsOf;
  /** Whether columns whose types clash between files are read as text. */
  readonly clashAsText: boolean;
  /** Called once, before the files are read. */
  readonly onFiles?: (files: number, sizeBytes: number) => void;
}

/**
 * Runs one statement over the outputs on record, each a view of exactly its committed and current results, and gives its rows to `consume`. All
 * of it happens in this process, which opens no other file, and no connection but those to sinks of outputs that the statement names.
 *
 * Throws WrongUse for what is no single query, TerminalFailure in DuckDB's words for a wrong one, OUTPUT_… for outputs that can't be read, and
 * TransientFailure OUTPUT_OVERTAKEN where a result was replaced while it was read: what `consume` has had then is to be thrown away.
 */
export async function runQuery<T>(context: ControlContext, request: QueryRequest, consume: (rows: QueryRows) => Promise<T>): Promise<T> {
  return onEngine(context, request, undefined, async (engine) => consume(await runStatement(engine, request.sql)));
}

/** The same into a Parquet file, which is not there before or is replaced; returns the count of rows. */
export async function queryIntoParquet(context: ControlContext, request: QueryRequest, file: string): Promise<number> {
  return onEngine(context, request, file, (engine) => writeParquet(engine, request.sql, file));
}

async function onEngine<T>(
  { db }: ControlContext,
  request: QueryRequest,
  writable: string | undefined,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  const { sql, asOf, signal } = request;
  const views = outputViews(await outputTotals(db, asOf));
  const scratch = await mkdtemp(join(tmpdir(), "casparian-query-"));
  const engine = await openEngine({ scratch });
  const interrupt = (): void => engine.connection.interrupt();
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    const wanted = await viewsIn(engine, sql, views);
    requireReadable(wanted, asOf);
    const results = await resultsOf(db, wanted, asOf);
    const opened = await openResults(db, results, { ...request, scratch });
    request.onFiles?.(
      results.length,
      results.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    );
    await attach(engine, opened.databases ?? []);
    await confineTo(engine, { lists: opened.parts.map(({ paths }) => paths), writable });
    return await whileUnchanged(opened, signal, async () => {
      for (const view of viewsOf(wanted, opened.parts))
        await inItsWords(() => createView(engine, { ...view, clashAsText: request.clashAsText }));
      await lock(engine);
      return await work(engine);
    });
  } catch (error) {
    signal.throwIfAborted();
    throw explainUnknown(error, views);
  } finally {
    signal.removeEventListener("abort", interrupt);
    engine[Symbol.dispose]();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The outputs that a statement may read, so that nobody waits for the files of others. */
async function viewsIn(engine: Engine, sql: string, views: readonly OutputView[]): Promise<readonly OutputView[]> {
  const tables = await tablesIn(engine, sql);
  if (tables === null) {
    const isNamed = (view: OutputView): boolean =>
      isFetchedView(view) ? folded(sql).includes(folded(view.name)) : mayMention(sql, view.name);
    return views.filter((view) => isNamed(view) && isReadable(view));
  }
  return views.filter((view) =>
    tables.some(({ schema, name }) => {
      if (folded(name) !== folded(view.name)) return false;
      return schema === null || folded(schema) === "main" ? view.isPlain : folded(schema) === folded(view.schema);
    }),
  );
}

/** Whatever comes of files of which one was replaced meanwhile, rows or an error, is worth nothing. */
async function whileUnchanged<T>(opened: OpenedResults, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    await opened.requireUnchanged();
    return result;
  } catch (error) {
    signal.throwIfAborted();
    await opened.requireUnchanged();
    throw error;
  }
}

/** The parts of each view, which name their files by the number of the engine's list. */
function viewsOf(wanted: readonly OutputView[], parts: readonly ViewPart[]): readonly Omit<ViewRequest, "clashAsText">[] {
  return wanted.map((view) => ({
    ...view,
    groups: parts.flatMap((part, list) =>
      part.plugin === view.plugin && part.output === view.output ? [{ ...part, rows: part.rows(filesOf(list)) }] : [],
    ),
  }));
}
