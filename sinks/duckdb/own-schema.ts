import type { TableName } from "../tables/table-name.ts";
import type { Engine } from "./engine.ts";
import { folded } from "./folded.ts";

/** The commit marker: a row for each result that a table shows. */
export interface Marker {
  readonly staging: string;
  readonly jobId: bigint;
}

/** What the sink keeps for itself in each database: which results its tables show. Keys are names as DuckDB compares them. */
const ownTables = [
  "create schema if not exists _casparian",
  `create table if not exists _casparian.result (
     table_key varchar not null,
     result varchar not null,
     staging varchar not null,
     output varchar not null,
     job_id bigint not null,
     row_count bigint not null,
     committed_at timestamptz not null default now(),
     primary key (table_key, result))`,
];

export async function ensureOwnSchema({ connection }: Engine): Promise<void> {
  for (const statement of ownTables) await connection.run(statement);
}

/** Whether a result was ever committed to the database. */
export async function hasOwnSchema(engine: Engine): Promise<boolean> {
  const found = await engine.rows(
    "select 1 from duckdb_tables() where database_name = current_database() and schema_name = '_casparian' and table_name = 'result'",
  );
  return found.length > 0;
}

export function keyOf({ schema, name }: TableName): string {
  return JSON.stringify([folded(schema), folded(name)]);
}

export async function findMarker(engine: Engine, table: TableName, result: string): Promise<Marker | undefined> {
  const [row] = await engine.rows<[string, bigint]>("select staging, job_id from _casparian.result where table_key = $1 and result = $2", [
    keyOf(table),
    result,
  ]);
  return row === undefined ? undefined : { staging: row[0], jobId: row[1] };
}
