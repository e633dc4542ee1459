import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Queryable } from "../../db/pool.ts";
import type { ResultRow } from "../../db/result.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { safeUrl } from "../../domain/safe-url.ts";
import { postgresValue } from "../../query/postgres-value.ts";
import { csvRows } from "../../query/text-files.ts";
import { postgresAddress, tableFor } from "../../sinks/postgres/address.ts";
import { exportRows, type Export } from "../../sinks/postgres/export.ts";
import { createServers, type Servers } from "../../sinks/postgres/server.ts";
import { inGroups } from "./in-groups.ts";
import type { Opening, OpenResults, ViewPart } from "./source.ts";

/** Fetches the rows of tables as text, because DuckDB's own reader of Postgres is none of the parts that it is built with. */
export function openTables(db: Queryable): OpenResults {
  return async (results, opening) => {
    const servers = createServers(opening.connections);
    try {
      const tables = [...Map.groupBy(results, ({ plugin, output, uri }) => JSON.stringify([plugin, output, uri])).values()];
      const parts: ViewPart[] = [];
      for (const [number, some] of tables.entries()) parts.push(await fetchTable({ db, servers, opening, number }, some));
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
    results: results.map((result) => ({ jobId: result.jobId, name: String(result.staged["name"]) })),
    path,
    signal: opening.signal,
    onBytes: opening.fetching.onBytes,
  });
  const columns = checked(found, results);
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

/** Rows that were replaced are deleted, so a table can only tell of times since when nothing was. */
function refuseReplaced(results: readonly ResultRow[]): void {
  const replaced = results.flatMap(({ replacedAt }) => (replacedAt === null ? [] : [replacedAt]));
  if (replaced.length === 0) return;
  const { plugin, output, uri } = results[0]!;
  const last = new Date(Math.max(...replaced.map((time) => time.getTime())) + 1);
  throw new TerminalFailure({
    code: "OUTPUT_REPLACED",
    message: `${replaced.length} of the results that ${plugin}.${output} had then have been replaced since, and ${safeUrl(uri)} keeps no rows that were replaced`,
    hint: `Ask for a time since the last of them went: --as-of ${last.toISOString()}. Outputs in Parquet, CSV, JSON Lines and S3 keep what was replaced`,
  });
}

function checked(found: Export, results: readonly ResultRow[]): Extract<Export, { readonly rows: number }>["columns"] {
  const { plugin, output, uri } = results[0]!;
  const place = `${safeUrl(uri)}, with the rows of ${plugin}.${output}`;
  if ("missing" in found)
    throw new TerminalFailure({
      code: "OUTPUT_MISSING",
      message: `${place}, has none of job ${found.missing.slice(0, 3).join(", ")}${found.missing.length > 3 ? `, and of ${found.missing.length - 3} more` : ""}`,
      hint: "Run the query again, for a newer result may just be taking their place; otherwise somebody removed them, or the connection leads to another database",
      data: { jobs: found.missing.slice(0, 100) },
    });
  if ("lacks" in found)
    throw new TerminalFailure({
      code: "OUTPUT_CHANGED",
      message: `${place}, has no column "${found.lacks}" any more`,
      hint: "Somebody changed the table: put the column back, or read the table with psql",
    });
  if ("shared" in found)
    throw new TerminalFailure({
      code: "OUTPUT_SHARED",
      message: `${place}, holds rows of several outputs of job ${found.shared}: a row says its job and not its output`,
      hint: "Read the table with psql; or give each output a table of its own: casparian topic set PLUGIN OUTPUT postgres://…",
    });
  const written = results.reduce((sum, { rows }) => sum + rows, 0);
  if (found.rows === written) return found.columns;
  throw new TerminalFailure({
    code: "OUTPUT_CHANGED",
    message: `${place}, has ${found.rows} of the ${results.length} current jobs where ${written} were written`,
    hint: "Somebody deleted or inserted rows of these jobs; psql shows what is there: select _cf_job_id, count(*) … group by 1",
  });
}
