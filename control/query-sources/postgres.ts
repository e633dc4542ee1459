import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Queryable } from "../../db/pool.ts";
import type { ResultRow } from "../../db/result.ts";
import { postgresValue } from "../../query/postgres-value.ts";
import { csvRows } from "../../query/text-files.ts";
import { postgresAddress, tableFor } from "../../sinks/postgres/address.ts";
import { exportRows, type ExportedFile } from "../../sinks/postgres/export.ts";
import { createServers, type Servers } from "../../sinks/postgres/server.ts";
import { inGroups, type ResultGroup } from "./in-groups.ts";
import type { Opening, OpenResults, ViewPart } from "./source.ts";
import { byTable, checked, stagedNames } from "./tables.ts";

/** Fetches the rows of tables as text, because DuckDB's own reader of Postgres is none of the parts that it is built with. */
export function openTables(db: Queryable): OpenResults {
  return async (results, opening) => {
    const servers = createServers(opening.connections);
    try {
      const parts: ViewPart[] = [];
      for (const [number, some] of byTable(results).entries()) parts.push(...(await fetchTable({ db, servers, opening, number }, some)));
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

/** All that an output has, or had, in one table, whatever columns its results had: a part for each form that the rows have there. */
async function fetchTable({ db, servers, opening, number }: Fetch, results: readonly ResultRow[]): Promise<readonly ViewPart[]> {
  const { uri, output } = results[0]!;
  const groups = await inGroups(db, results, (result) => result);
  const address = postgresAddress(uri);
  const found = await exportRows(servers.at(address), {
    table: tableFor(address.table, output),
    groups: groups.map(({ columns, members }) => ({ columns: columns.map(({ name }) => name), results: stagedNames(members) })),
    pathOf: (at) => join(opening.fetching.folder, `table-${number}-${at}.csv`),
    signal: opening.signal,
    onBytes: opening.fetching.onBytes,
  });
  return Promise.all(checked(found, results, "psql").map((file) => partOf(file, groups)));
}

async function partOf({ path, columns, results }: ExportedFile, groups: readonly ResultGroup<ResultRow>[]): Promise<ViewPart> {
  const { plugin, output } = groups[0]!;
  const { size } = await stat(path);
  const jobs = new Set(results.map(({ jobId }) => jobId));
  const given = groups.filter(({ members }) => members.some(({ jobId }) => jobs.has(jobId))).flatMap((group) => group.columns);
  const typed = new Set(given.flatMap(({ name, type }) => (type === "null" ? [] : [name])));
  const read = columns.map(({ name, type }) => ({ name, value: (text: string) => postgresValue(type, text) }));
  return {
    plugin,
    output,
    paths: [path],
    rows: (paths) => csvRows(paths, read, size),
    results: results.length,
    columns: columns.map(({ name }) => ({ name, isNull: !typed.has(name) })),
    example: `job ${results[0]!.jobId}`,
  };
}
