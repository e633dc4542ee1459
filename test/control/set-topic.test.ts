import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { setTopics } from "../../control/set-topic.ts";
import { listTopics } from "../../control/list-topics.ts";
import { checkTopics } from "../../control/doctor/topics.ts";
import type { Patient } from "../../control/doctor/diagnosis.ts";
import { openConnections } from "../../config/connections.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";

const database = await testDatabase();
const { db } = database;
const context = { db, actor: "ann@desk", temporal: null };
afterAll(() => database.close());
await fillRecord(db).plugin("clean", "1");

const set = (uri: string): Promise<readonly string[]> =>
  setTopics(context, "clean", new Map([["trades", { uri, mode: "append" as const }]]));

test("a table in Postgres is kept in one way, however it is written", async () => {
  expect(await set("postgres://lake")).toEqual(["trades"]);
  expect(await set("postgresql://lake/public.trades")).toEqual([]);
  expect(await listTopics(context, "clean")).toContainEqual({
    plugin: "clean",
    output: "trades",
    uri: "postgres://lake/public.trades",
    mode: "append",
    configured: true,
  });
});

test("a password in a URI reaches neither the record nor a message", async () => {
  await expect(set("postgres://ann:hunter2@db/lake?table=trades")).rejects.toMatchObject({
    message: expect.stringContaining("postgres://ann:***@db/lake"),
    hint: expect.stringContaining("password_env"),
  });
  const { rows } = await db.query("select (select json_agg(t) from cf_topic t)::text || (select json_agg(a) from cf_audit a)::text as all");
  expect(JSON.stringify(rows)).not.toContain("hunter2");
});

test("doctor asks the server that a topic names", async () => {
  const url = new URL(database.url);
  const diagnose = (env: NodeJS.ProcessEnv) =>
    checkTopics({
      ...context,
      home: "/nowhere",
      connections: openConnections([{ name: "lake", url: { variable: "LAKE" }, password: null }], env),
    } as unknown as Patient);
  expect(await diagnose({ LAKE: url.href })).toMatchObject([
    { severity: "ok", message: expect.stringContaining("postgres://lake/public.trades") },
  ]);
  url.port = "1";
  expect(await diagnose({ LAKE: url.href })).toMatchObject([
    { severity: "error", message: expect.stringMatching(/^clean\/trades: connection lake .*ECONNREFUSED/) },
  ]);
  expect(await diagnose({})).toMatchObject([
    { severity: "error", message: expect.stringContaining("the variable LAKE, which is not there") },
  ]);
});

test("a table in a DuckDB file is kept in one way, and doctor asks whether the file can be written", async () => {
  const home = await mkdtemp(join(tmpdir(), "casparian-topic-"));
  const diagnose = () => checkTopics({ ...context, home, connections: openConnections([], {}) } as unknown as Patient);
  try {
    expect(await set("duckdb://./lake.duckdb")).toEqual(["trades"]);
    expect(await set("duckdb://lake.duckdb?table=trades")).toEqual([]);
    expect(await diagnose()).toMatchObject([
      { severity: "ok", message: expect.stringContaining("clean/trades → duckdb://lake.duckdb?table=main.trades") },
    ]);
    await writeFile(join(home, "lake.duckdb"), "a,b\n1,2\n");
    expect(await diagnose()).toMatchObject([
      {
        severity: "error",
        message: expect.stringContaining("not a valid DuckDB database file"),
        hint: expect.stringContaining("name another"),
      },
    ]);
  } finally {
    await rm(home, { recursive: true });
  }
});
