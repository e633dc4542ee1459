import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { describeReplaced, replacedSteps, type ReplacedTarget } from "./query-replaced.ts";

let fixture: QueryFixture;
beforeAll(async () => void (fixture = await createQueryFixture()));
afterAll(() => fixture?.[Symbol.asyncDispose]());

/** As somebody would with the file. */
async function change(name: string, statement: string): Promise<readonly unknown[][]> {
  const instance = await DuckDBInstance.create(join(fixture.jobs.output, `${name}.duckdb`));
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(statement)).getRowsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const target = (): ReplacedTarget => ({
  fixture,
  uriOf: (name, { keeps }) => `duckdb://output/${name}.duckdb?table=main.${name}${keeps ? "&keep=replaced" : ""}`,
  async dropKept(name) {
    const sql = "select table_name from duckdb_tables() where schema_name = '_casparian' and starts_with(table_name, 'replaced_by_')";
    for (const [table] of await change(name, sql)) await change(name, `drop table _casparian."${String(table)}"`);
  },
});
const { publish, produce } = replacedSteps(target);

describeReplaced(target);

test("columns are those that a result had, whatever became of the table since", async () => {
  const code = yielding(
    `yield pa.table({"id": pa.array([1], pa.int16()), "gone": ["x"]} if text == "one" else {"id": pa.array([2], pa.int8()), "new": [2.5]})`,
  );
  await publish("columns", code, "overwrite");
  const before = await produce("a.columns", "one");
  await fixture.produce("b.columns", "two");
  await change("columns", "alter table columns drop column gone");
  const lineage = "_cf_source_hash, _cf_job_id, _cf_file_version_id, _cf_processed_at, _cf_plugin_version";
  const shown = (...args: readonly string[]) => fixture.rows(`select * exclude (${lineage}) from columns.columns`, ...args);
  expect(await shown("--as-of", before)).toEqual([{ id: 1, gone: "x" }]);
  expect(await shown()).toEqual([{ id: 2, new: 2.5 }]);
});
