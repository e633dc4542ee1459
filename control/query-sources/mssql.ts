import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Queryable } from "../../db/pool.ts";
import type { ResultRow } from "../../db/result.ts";
import { mssqlValue } from "../../query/mssql-value.ts";
import { csvRows } from "../../query/text-files.ts";
import { mssqlAddress } from "../../sinks/mssql/address.ts";
import { exportRows } from "../../sinks/mssql/export.ts";
import { serverAt } from "../../sinks/mssql/server.ts";
import { inGroups } from "./in-groups.ts";
import type { Opening, OpenResults, ViewPart } from "./source.ts";
import { byTable, checked, stagedNames } from "./tables.ts";

/** Fetches the rows of tables of SQL Server as text. */
export function openServerTables(db: Queryable): OpenResults {
  return async (results, opening) => {
    const parts: ViewPart[] = [];
    for (const [number, some] of byTable(results).entries()) parts.push(...(await fetchTable({ db, opening, number }, some)));
    return { parts, requireUnchanged: async () => {} };
  };
}

interface Fetch {
  readonly db: Queryable;
  readonly opening: Opening;
  readonly number: number;
}

/** All that an output has in one table: a part for results with the same columns. */
async function fetchTable({ db, opening, number }: Fetch, results: readonly ResultRow[]): Promise<readonly ViewPart[]> {
  const { signal, fetching, connections } = opening;
  const groups = (await inGroups(db, results, (result) => result)).map((group, at) => ({
    ...group,
    path: join(fetching.folder, `table-${number}-${at}.csv`),
  }));
  const address = mssqlAddress(results[0]!.uri);
  const found = await exportRows(serverAt(address, connections), {
    table: address.table,
    groups: groups.map(({ columns, members, path }) => ({
      columns: columns.map(({ name }) => name),
      results: stagedNames(members),
      path,
    })),
    signal,
    onBytes: fetching.onBytes,
  });
  checked(found, results, "sqlcmd");
  return Promise.all(
    groups.map(async ({ plugin, output, columns, members, path }) => {
      const { size } = await stat(path);
      const read = columns.map(({ name, type }) => ({ name, value: (text: string) => mssqlValue(type, text) }));
      return {
        plugin,
        output,
        paths: [path],
        rows: (paths: string) => csvRows(paths, read, size),
        results: members.length,
        columns: columns.map(({ name, type }) => ({ name, isNull: type === "null" })),
        example: `job ${members[0].jobId}`,
      };
    }),
  );
}
