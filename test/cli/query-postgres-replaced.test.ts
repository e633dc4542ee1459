import { afterAll, beforeAll, expect, test } from "vitest";
import { openPostgresKind, type PostgresKind } from "../sinks/postgres-target.ts";
import { createQueryFixture, yielding, type QueryFixture } from "../support/query-fixture.ts";
import { tablePlugin } from "../support/samples.ts";
import { describeReplaced, replacedSteps, type ReplacedTarget } from "./query-replaced.ts";

let fixture: QueryFixture;
let kind: PostgresKind;
beforeAll(async () => {
  kind = await openPostgresKind();
  fixture = await createQueryFixture();
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
  await kind?.close();
});

const tableOf = (uri: string): string => new URL(uri).searchParams.get("table")!;
const keptTables = async (job: string): Promise<readonly string[]> =>
  (await kind.query(`select table_name from _casparian.result where schema_name = '_casparian' and job_id = ${job}`)).map(
    ([name]) => `_casparian."${name}"`,
  );

const uris = new Map<string, string>();
const target = (): ReplacedTarget => ({
  fixture,
  uriOf(name, { keeps }) {
    const uri = uris.get(name) ?? kind.newUri();
    uris.set(name, uri);
    return keeps ? `${uri}&keep=replaced` : uri;
  },
  async dropKept(_name, jobId) {
    for (const table of await keptTables(jobId)) await kind.query(`drop table ${table}`);
  },
});
const { publish, produce, refusal, ids } = replacedSteps(target);

describeReplaced(target);

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
  await publish("columns", code);
  await fixture.produce("b.columns", "two");
  const before = await produce("a.columns", "one");
  await fixture.produce("a.columns", "two");
  await kind.query(`alter table ${tableOf(uris.get("columns")!)} drop column gone, alter column id type text`);
  const lineage = "_cf_source_hash, _cf_job_id, _cf_file_version_id, _cf_processed_at, _cf_plugin_version";
  expect(
    await fixture.rows(`select * exclude (${lineage}) from columns.columns order by id`, "--as-of", before, "--mixed-as-text"),
  ).toEqual([
    { id: "1", gone: "x", new: null },
    { id: "2", gone: null, new: 2.5 },
  ]);
  expect(await refusal("from columns.columns", "--as-of", before)).toMatchObject({ code: "OUTPUT_TYPES_CLASH" });
});

test("what somebody took away from the rows that were kept is told", async () => {
  await publish("robbed", tablePlugin);
  const job = await fixture.produce("a.robbed", "id\n1\n2\n");
  const before = await fixture.committedLast();
  await fixture.produce("a.robbed", "id\n3\n");
  const [kept] = await keptTables(job);
  await kind.query(`delete from ${kept} where id = 2`);
  expect(await refusal("from robbed", "--as-of", before)).toMatchObject({
    code: "OUTPUT_CHANGED",
    message: expect.stringContaining("where 2 were written") as string,
  });
  await kind.query(`drop table ${kept}`);
  expect(await refusal("from robbed", "--as-of", before)).toMatchObject({ code: "OUTPUT_REPLACED" });
  expect(await ids("robbed")).toEqual([3]);
});
