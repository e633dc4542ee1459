import { join } from "node:path";
import type { Queryable } from "../../db/pool.ts";
import type { ResultRow } from "../../db/result.ts";
import { TransientFailure } from "../../domain/failure.ts";
import { duckdbValue } from "../../query/duckdb-value.ts";
import type { AttachedDatabase } from "../../query/engine.ts";
import { folded, identifier } from "../../query/identifier.ts";
import { duckdbAddress, pathOf, tableFor } from "../../sinks/duckdb/address.ts";
import { isThere, type Database } from "../../sinks/duckdb/database.ts";
import { exportRows, type ExportedRows } from "../../sinks/duckdb/export.ts";
import type { Export } from "../../sinks/tables/exported.ts";
import { inGroups, type ResultGroup } from "./in-groups.ts";
import type { Opening, OpenResults, ViewPart } from "./source.ts";
import { byTable, checked, stagedNames } from "./tables.ts";

/** How long a file that somebody writes is waited for. */
const lockMsMax = 5_000;

/** Copies the rows of tables out of their DuckDB files, because nobody can commit to one while it is open. */
export function openDatabases(db: Queryable): OpenResults {
  return async (results, opening) => {
    const [parts, databases]: [ViewPart[], AttachedDatabase[]] = [[], []];
    for (const [number, some] of byTable(results).entries()) {
      // No plugin has a name with a space.
      const copy = { name: `casparian rows ${number}`, path: join(opening.fetching.folder, `table-${number}.duckdb`) };
      parts.push(...(await copyTable({ db, opening, copy }, some)));
      databases.push(copy);
    }
    return { parts, databases, requireUnchanged: async () => {} };
  };
}

interface Copying {
  readonly db: Queryable;
  readonly opening: Opening;
  readonly copy: AttachedDatabase;
}

/** All that an output has, or had, in one table: a part for results with the same columns, in each form that they have there. */
async function copyTable({ db, opening, copy }: Copying, results: readonly ResultRow[]): Promise<readonly ViewPart[]> {
  const groups = await inGroups(db, results, (result) => result);
  const { uri, output } = results[0]!;
  const database = await findDatabase(results, opening.home);
  const found: Export<ExportedRows> =
    database === null
      ? { missing: results.map(({ jobId }) => jobId) }
      : await inTurn(() =>
          exportRows(database, {
            table: tableFor(duckdbAddress(uri).table, output),
            groups: groups.map(({ columns, members }) => ({ columns: columns.map(({ name }) => name), results: stagedNames(members) })),
            path: copy.path,
            signal: opening.signal,
            onBytes: opening.fetching.onBytes,
          }),
        );
  return checked(found, results, "duckdb").flatMap((rows) =>
    [...rows.groups].map(([part, count]) => partOf(groups[part]!, { from: copy.name, part, count }, rows)),
  );
}

function partOf(
  { plugin, output, columns, members }: ResultGroup<ResultRow>,
  { from, part, count }: { readonly from: string; readonly part: number; readonly count: number },
  { copy, columns: copied }: ExportedRows,
): ViewPart {
  const values = columns.map(({ name, type }, index) => {
    const at = copied.findIndex((column) => folded(column.name) === folded(name));
    return `${duckdbValue(type, copied[at]!.type, `c${at}`)} as v${index}`;
  });
  return {
    plugin,
    output,
    paths: [],
    rows: () => `(select ${values.join(", ")} from ${identifier(from)}.main.${copy} where part = ${part})`,
    results: count,
    columns: columns.map(({ name, type }) => ({ name, isNull: type === "null" })),
    example: `job ${members[0].jobId}`,
  };
}

/** The file of the newest result or, where the home has moved since, the one that the URI names now; null where there is none. */
async function findDatabase(results: readonly ResultRow[], home: string): Promise<Database | null> {
  for (const uri of [results.at(-1)!.target, results[0]!.uri]) {
    const database = { path: pathOf(duckdbAddress(uri), home), lockMsMax };
    if (await isThere(database)) return database;
  }
  return null;
}

/** A file that somebody has open to write is read when it is closed, which is for a person to see to. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TransientFailure)) throw error;
    const { code, message, data } = error;
    const hint = "The message names the process that has the file open: a commit ends by itself, so run the query again; close any other";
    throw new TransientFailure({ code, message, data, cause: error, hint: message.includes("Could not set lock") ? hint : error.hint });
  }
}
