import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, test } from "vitest";
import { setTopics } from "../../control/set-topic.ts";
import type { SinkMode } from "../../domain/topic.ts";
import { failureOf } from "../support/command.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";

let fixture: QueryFixture;
beforeAll(async () => void (fixture = await createQueryFixture()));
afterAll(() => fixture?.[Symbol.asyncDispose]());

const uriOf = (name: string): string => `duckdb://output/${name}.duckdb?table=main.${name}`;

async function publish(name: string, code: string, mode: SinkMode = "replace"): Promise<void> {
  await fixture.publish(name, `*.${name}`, code, { mode, uri: `${uriOf(name)}&keep=replaced` });
}

/** Commits a result and returns the time when it was current. */
async function produce(file: string, content: string): Promise<string> {
  await fixture.produce(file, content);
  return fixture.committedLast();
}

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

const query = async (...args: readonly string[]) => failureOf(await fixture.query("query", ...args, "--json"));
const ids = async (name: string, ...args: readonly string[]) =>
  (await fixture.rows<{ id: number }>(`select id from ${name} order by 1`, ...args)).map(({ id }) => id);

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

test("what was replaced before the parameter was there, or was dropped since, is refused, and the target stays the same", async () => {
  await fixture.publish("later", "*.later", tablePlugin, { mode: "replace", uri: uriOf("later") });
  const first = await produce("a.later", "id\n1\n");
  const second = await produce("a.later", "id\n2\n");
  const context = { db: fixture.jobs.database.db, actor: "test@here", temporal: null };
  const topic = { uri: `${uriOf("later")}&keep=replaced`, mode: "replace" } as const;
  expect(await setTopics(context, "later", new Map([["later", topic]]))).toEqual(["later"]);
  await fixture.produce("a.later", "id\n3\n");
  expect(await ids("later")).toEqual([3]);
  expect(await ids("later", "--as-of", second)).toEqual([2]);
  expect(await query("from later", "--as-of", first)).toMatchObject({
    code: "OUTPUT_REPLACED",
    hint: expect.stringContaining("keep=replaced") as string,
  });
  const [[kept] = []] = await change(
    "later",
    "select table_name from duckdb_tables() where schema_name = '_casparian' and starts_with(table_name, 'replaced_by_')",
  );
  await change("later", `drop table _casparian."${String(kept)}"`);
  expect(await query("from later", "--as-of", second)).toMatchObject({ code: "OUTPUT_REPLACED" });
});
