import { afterAll, beforeAll, expect, test } from "vitest";
import { openMssqlKind, type MssqlKind } from "../sinks/mssql-target.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { describeReplaced, replacedSteps, type ReplacedTarget } from "./query-replaced.ts";

// Against a stub that has Postgres execute what it is sent (test/support/sql-server.ts): no SQL Server has seen this.
let fixture: QueryFixture;
let kind: MssqlKind;
beforeAll(async () => {
  kind = await openMssqlKind();
  fixture = await createQueryFixture({ connections: kind.connections });
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
  await kind?.close();
});

const target = (): ReplacedTarget => ({
  fixture,
  uriOf: (name, { keeps }) => `mssql://${name}${keeps ? "?keep=replaced" : ""}`,
  async dropKept(_name, jobId) {
    const [[kept] = []] = await kind.query(
      `select table_name from _casparian.result where schema_name = '_casparian' and job_id = ${jobId}`,
    );
    await kind.query(`drop table _casparian."${kept}"`);
  },
});
const { publish, produce } = replacedSteps(target);

describeReplaced(target);

test("columns are those that a result had, in their types, whatever became of the table since", async () => {
  const code = yielding(`day = datetime.date(2026, 1, 2)
yield pa.table({"id": pa.array([1], pa.int16()), "gone": [day]} if text == "one" else {"id": pa.array([2], pa.int16()), "new": [2.5]})`);
  await publish("columns", code, "overwrite");
  const before = await produce("a.columns", "one");
  await fixture.produce("b.columns", "two");
  await kind.query("alter table dbo.columns drop column gone");
  const lineage = "_cf_source_hash, _cf_job_id, _cf_file_version_id, _cf_processed_at, _cf_plugin_version";
  expect(await fixture.rows(`select * exclude (${lineage}) from columns.columns`, "--as-of", before)).toEqual([
    { id: 1, gone: "2026-01-02" },
  ]);
});
