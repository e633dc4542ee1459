import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Queryable } from "../../db/pool.ts";
import type { ResultRow } from "../../db/result.ts";
import { postgresValue } from "../../query/postgres-value.ts";
import { csvRows } from "../../query/text-files.ts";
import { postgresAddress, tableFor } from "../../sinks/postgres/address.ts";
import { exportRows } from "../../sinks/postgres/export.ts";
import { createServers, type Servers } from "../../sinks/postgres/server.ts";
import { inGroups } from "./in-groups.ts";
import type { Opening, OpenResults, ViewPart } from "./source.ts";
import { byTable, checked, refuseReplaced, stagedNames } from "./tables.ts";

/** Fetches the rows of tables as text, because DuckDB's own reader of Postgres is none of the parts that it is built with. */
export function openTables(db: Queryable): OpenResults {
  return async (results, opening) => {
    const servers = createServers(opening.connections);
    try {
      const parts: ViewPart[] = [];
      for (const [number, some] of byTable(results).entries()) parts.push(await fetchTable({ db, servers, opening, number }, some));
      return { parts, requireUnchanged: async () => {} };
    } finally {
      await servers.close();
    }
  };
}

interface Fetch {
  readonly db: Queryable;
  readonly servers: Servers;
  readonly opening: Opening;
  readonly number: number;
}

/** All that an output has in one table, whatever columns its results had. */
async function fetchTable({ db, servers, opening, number }: Fetch, results: readonly ResultRow[]): Promise<ViewPart> {
  const { plugin, output, uri, jobId } = results[0]!;
  refuseReplaced(results);
  const groups = await inGroups(db, results, (result) => result);
  const types = new Map<string, Set<string>>();
  for (const { columns } of groups) for (const { name, type } of columns) types.set(name, (types.get(name) ?? new Set()).add(type));
  const address = postgresAddress(uri);
  const path = join(opening.fetching.folder, `table-${number}.csv`);
  const found = await exportRows(servers.at(address), {
    table: tableFor(address.table, output),
    columns: [...types.keys()],
    results: stagedNames(results),
    path,
    signal: opening.signal,
    onBytes: opening.fetching.onBytes,
  });
  const columns = checked(found, results, "psql");
  const { size } = await stat(path);
  const read = columns.map(({ name, type }) => ({ name, value: (text: string) => postgresValue(type, text) }));
  return {
    plugin,
    output,
    paths: [path],
    rows: (paths) => csvRows(paths, read, size),
    results: results.length,
    columns: columns.map(({ name }) => ({ name, isNull: [...types.get(name)!].every((type) => type === "null") })),
    example: `job ${jobId}`,
  };
}
