import { afterAll, beforeAll, expect, test } from "vitest";
import { setTopics } from "../../control/set-topic.ts";
import { openMssqlKind, type MssqlKind } from "../sinks/mssql-target.ts";
import { failureOf } from "../support/command.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

// Against a stub that has Postgres execute what it is sent (test/support/sql-server.ts): no SQL Server has seen this.
let fixture: QueryFixture;
let target: MssqlKind;
beforeAll(async () => {
  target = await openMssqlKind();
  fixture = await createQueryFixture({ connections: target.connections });
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
  await target?.close();
});

/** Commits a result and returns the time when it was current. */
async function produce(file: string, content: string): Promise<string> {
  await fixture.produce(file, content);
  return fixture.committedLast();
}

const query = async (...args: readonly string[]) => failureOf(await fixture.query("query", ...args, "--json"));
const ids = async (name: string, ...args: readonly string[]) =>
  (await fixture.rows<{ id: number }>(`select id from ${name} order by 1`, ...args)).map(({ id }) => id);

test("rows of a table are those of each time, replaced and current ones together", async () => {
  await fixture.publish("history", "*.history", tablePlugin, { mode: "replace", uri: "mssql://history?keep=replaced" });
  const times = [
    await produce("a.history", "id\n1\n2\n"),
    await produce("b.history", "id\n10\n"),
    await produce("a.history", "id\n3\n"),
    await produce("a.history", "id\n4\n5\n6\n"),
    await produce("b.history", "id\n11\n"),
  ];
  expect(await ids("history", "--as-of", times[1]!)).toEqual([1, 2, 10]);
  expect(await ids("history", "--as-of", times[3]!)).toEqual([4, 5, 6, 10]);
  expect(await ids("history")).toEqual([4, 5, 6, 11]);
});

test("columns are those that a result had, in their types, whatever became of the table since", async () => {
  const code = yielding(`day = datetime.date(2026, 1, 2)
yield pa.table({"id": pa.array([1], pa.int16()), "gone": [day]} if text == "one" else {"id": pa.array([2], pa.int16()), "new": [2.5]})`);
  await fixture.publish("columns", "*.columns", code, { mode: "overwrite", uri: "mssql://columns?keep=replaced" });
  const before = await produce("a.columns", "one");
  await fixture.produce("b.columns", "two");
  await target.query("alter table dbo.columns drop column gone");
  const lineage = "_cf_source_hash, _cf_job_id, _cf_file_version_id, _cf_processed_at, _cf_plugin_version";
  expect(await fixture.rows(`select * exclude (${lineage}) from columns.columns`, "--as-of", before)).toEqual([
    { id: 1, gone: "2026-01-02" },
  ]);
});

test("what was replaced before the parameter was there, or was dropped since, is refused, and the target stays the same", async () => {
  await fixture.publish("later", "*.later", tablePlugin, { mode: "replace", uri: "mssql://later" });
  const first = await produce("a.later", "id\n1\n");
  const job = await fixture.produce("a.later", "id\n2\n");
  const second = await fixture.committedLast();
  const context = { db: fixture.jobs.database.db, actor: "test@here", temporal: null };
  await setTopics(context, "later", new Map([["later", { uri: "mssql://later?keep=replaced", mode: "replace" }]]));
  await fixture.produce("a.later", "id\n3\n");
  expect(await ids("later")).toEqual([3]);
  expect(await ids("later", "--as-of", second)).toEqual([2]);
  expect(await query("from later", "--as-of", first)).toMatchObject({ code: "OUTPUT_REPLACED" });
  const [[kept] = []] = await target.query(`select table_name from _casparian.result where schema_name = '_casparian' and job_id = ${job}`);
  await target.query(`drop table _casparian."${kept}"`);
  expect(await query("from later", "--as-of", second)).toMatchObject({ code: "OUTPUT_REPLACED" });
});
