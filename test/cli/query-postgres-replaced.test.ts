import { afterAll, beforeAll, expect, test } from "vitest";
import { setTopics } from "../../control/set-topic.ts";
import type { SinkMode } from "../../domain/topic.ts";
import { openPostgresKind, type PostgresKind } from "../sinks/postgres-target.ts";
import { failureOf } from "../support/command.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

let fixture: QueryFixture;
let target: PostgresKind;
beforeAll(async () => {
  target = await openPostgresKind();
  fixture = await createQueryFixture();
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
  await target?.close();
});

async function publish(name: string, code: string, mode: SinkMode = "replace"): Promise<string> {
  const uri = target.newUri();
  await fixture.publish(name, `*.${name}`, code, { mode, uri: `${uri}&keep=replaced` });
  return uri;
}

/** Commits a result and returns the time when it was current. */
async function produce(file: string, content: string): Promise<string> {
  await fixture.produce(file, content);
  return fixture.committedLast();
}

const tableOf = (uri: string): string => new URL(uri).searchParams.get("table")!;
const query = async (...args: readonly string[]) => failureOf(await fixture.query("query", ...args, "--json"));
const ids = async (name: string, ...args: readonly string[]) =>
  (await fixture.rows<{ id: number }>(`select id from ${name} order by 1`, ...args)).map(({ id }) => id);
const keptTables = async (job: string): Promise<readonly string[]> =>
  (await target.query(`select table_name from _casparian.result where schema_name = '_casparian' and job_id = ${job}`)).map(
    ([name]) => `_casparian."${name}"`,
  );

test("rows of a table are those of each time, replaced and current ones together", async () => {
  await publish("history", tablePlugin);
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

test("so are those of a target that is overwritten", async () => {
  await publish("whole", tablePlugin, "overwrite");
  const times = [await produce("a.whole", "id\n1\n2\n"), await produce("b.whole", "id\n10\n"), await produce("a.whole", "id\n3\n")];
  expect(await ids("whole", "--as-of", times[0]!)).toEqual([1, 2]);
  expect(await ids("whole", "--as-of", times[1]!)).toEqual([10]);
});

test("columns are those that a result had, whatever became of the table since", async () => {
  const code = yielding(
    `yield pa.table({"id": pa.array([1], pa.int16()), "gone": ["x"]} if text == "one" else {"id": pa.array([2], pa.int8()), "new": [2.5]})`,
  );
  const uri = await publish("columns", code);
  await fixture.produce("b.columns", "two");
  const before = await produce("a.columns", "one");
  await fixture.produce("a.columns", "two");
  await target.query(`alter table ${tableOf(uri)} drop column gone, alter column id type text`);
  const lineage = "_cf_source_hash, _cf_job_id, _cf_file_version_id, _cf_processed_at, _cf_plugin_version";
  expect(
    await fixture.rows(`select * exclude (${lineage}) from columns.columns order by id`, "--as-of", before, "--mixed-as-text"),
  ).toEqual([
    { id: "1", gone: "x", new: null },
    { id: "2", gone: null, new: 2.5 },
  ]);
  expect(await query("from columns.columns", "--as-of", before)).toMatchObject({ code: "OUTPUT_TYPES_CLASH" });
});

test("what was replaced before the parameter was there is refused, and it is the same target afterwards", async () => {
  const uri = target.newUri();
  await fixture.publish("later", "*.later", tablePlugin, { mode: "replace", uri });
  const first = await produce("a.later", "id\n1\n");
  const second = await produce("a.later", "id\n2\n");
  const refused = await query("from later", "--as-of", first);
  expect(refused).toMatchObject({ code: "OUTPUT_REPLACED", message: expect.stringContaining("1 of the results") as string });
  expect(refused.hint).toContain("keep=replaced");
  const context = { db: fixture.jobs.database.db, actor: "test@here", temporal: null };
  const topic = { uri: `${uri}&keep=replaced`, mode: "replace" } as const;
  expect(await setTopics(context, "later", new Map([["later", topic]]))).toEqual(["later"]);
  await fixture.produce("a.later", "id\n3\n");
  expect(await ids("later")).toEqual([3]);
  expect(await ids("later", "--as-of", second)).toEqual([2]);
  expect(await query("from later", "--as-of", first)).toMatchObject({ code: "OUTPUT_REPLACED" });
  expect((await fixture.rows<{ plugin: string }>("--tables")).filter(({ plugin }) => plugin === "later")).toHaveLength(1);
  // A file has one result there, with and without the parameter.
  await setTopics(context, "later", new Map([["later", { ...topic, mode: "error" }]]));
  await expect(fixture.produce("a.later", "id\n4\n")).rejects.toMatchObject({ type: "RESULT_EXISTS" });
});

test("what somebody took away from the rows that were kept is told", async () => {
  await publish("robbed", tablePlugin);
  const job = await fixture.produce("a.robbed", "id\n1\n2\n");
  const before = await fixture.committedLast();
  await fixture.produce("a.robbed", "id\n3\n");
  const [kept] = await keptTables(job);
  await target.query(`delete from ${kept} where id = 2`);
  expect(await query("from robbed", "--as-of", before)).toMatchObject({
    code: "OUTPUT_CHANGED",
    message: expect.stringContaining("where 2 were written") as string,
  });
  await target.query(`drop table ${kept}`);
  expect(await query("from robbed", "--as-of", before)).toMatchObject({ code: "OUTPUT_REPLACED" });
  expect(await ids("robbed")).toEqual([3]);
});
