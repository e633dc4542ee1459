import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { columnsOf, outputTotals, resultsOf, type AsOf, type ResultRow } from "../db/result.ts";
import { confineTo, lock, openEngine, type Engine } from "../query/engine.ts";
import { mayMention, tablesIn } from "../query/mentions.ts";
import type { Queryable } from "../db/pool.ts";
import { inItsWords, runStatement, writeParquet, type QueryRows } from "../query/statement.ts";
import { folded } from "../query/identifier.ts";
import { createView, type FileGroup } from "../query/view.ts";
import type { ControlContext } from "./context.ts";
import { locateResults, requireUnchanged, type FoundResult } from "./locate-results.ts";
import { outputViews, type OutputView } from "./output-views.ts";
import { explainUnknown, isReadable, requireReadable } from "./query-refusal.ts";

export type { QueryColumn, QueryRows, RowBatch } from "../query/statement.ts";

export interface QueryRequest {
  readonly sql: string;
  /** Null for what is current. */
  readonly asOf: AsOf;
  /** Relative sinks are below it. */
  readonly home: string;
  /** Whether columns whose types clash between files are read as text. */
  readonly clashAsText: boolean;
  readonly signal: AbortSignal;
  /** Called once, before the files are read. */
  readonly onFiles?: (files: number, sizeBytes: number) => void;
}

/**
 * Runs one statement over the outputs on record, each a view of exactly the files of its committed and current results, and gives its rows to
 * `consume`. All of it happens in this process, which opens no other file and no connection.
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
    const found = await locateResults(await resultsOf(db, wanted, asOf), request.home, signal);
    request.onFiles?.(
      found.length,
      found.reduce((sum, { result }) => sum + result.sizeBytes, 0),
    );
    const grouped = await groupByColumns(db, wanted, found);
    await confineTo(engine, { lists: grouped.lists, writable });
    return await whileUnchanged(found, signal, async () => {
      for (const { view, groups } of grouped.views)
        await inItsWords(() => createView(engine, { ...view, groups, clashAsText: request.clashAsText }));
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
  if (tables === null) return views.filter((view) => mayMention(sql, view.name) && isReadable(view));
  return views.filter((view) =>
    tables.some(({ schema, name }) => {
      if (folded(name) !== folded(view.name)) return false;
      return schema === null || folded(schema) === "main" ? view.isPlain : folded(schema) === folded(view.schema);
    }),
  );
}

/** Whatever comes of files of which one was replaced meanwhile, rows or an error, is worth nothing. */
async function whileUnchanged<T>(found: readonly FoundResult[], signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    await requireUnchanged(found);
    return result;
  } catch (error) {
    signal.throwIfAborted();
    await requireUnchanged(found);
    throw error;
  }
}

interface Grouped {
  /** Files of one view with the same columns each. */
  readonly lists: readonly (readonly string[])[];
  readonly views: readonly { readonly view: OutputView; readonly groups: readonly FileGroup[] }[];
}

async function groupByColumns(db: Queryable, views: readonly OutputView[], found: readonly FoundResult[]): Promise<Grouped> {
  const keyOf = ({ plugin, output, shape }: ResultRow): string => JSON.stringify([plugin, output, shape]);
  const groups = [...Map.groupBy(found, ({ result }) => keyOf(result)).values()];
  const examples = groups.map((group) => group[0]!.result);
  const columns = new Map((await columnsOf(db, examples)).map((row) => [JSON.stringify([row.jobId, row.output]), row.columns]));
  return {
    lists: groups.map((group) => group.map(({ path }) => path)),
    views: views.map((view) => ({
      view,
      groups: examples.flatMap(({ plugin, output, jobId }, list) => {
        if (plugin !== view.plugin || output !== view.output) return [];
        const ofFile = columns.get(JSON.stringify([jobId, output]))!.map(({ name, type }) => ({ name, isNull: type === "null" }));
        return [{ list, files: groups[list]!.length, columns: ofFile, example: `job ${jobId}` }];
      }),
    })),
  };
}
