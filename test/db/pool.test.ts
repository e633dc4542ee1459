import { createServer } from "node:net";
import { afterAll, expect, test } from "vitest";
import { isDatabaseTrouble, openDatabase, transaction } from "../../db/pool.ts";
import { ServiceUnreachable, TerminalFailure } from "../../domain/failure.ts";
import { testDatabase } from "../support/database.ts";

const { db, url, close } = await testDatabase();
afterAll(close);

test("a transaction is committed when the work resolves and rolled back when it throws", async () => {
  await transaction(db, (tx) => tx.query("insert into cf_source_root (name, path) values ('kept', '/a')"));
  const failing = transaction(db, async (tx) => {
    await tx.query("insert into cf_source_root (name, path) values ('lost', '/b')");
    throw new Error("changed my mind");
  });
  await expect(failing).rejects.toThrow("changed my mind");
  expect((await db.query("select name from cf_source_root")).rows).toEqual([{ name: "kept" }]);
});

test("ids arrive as strings, without losing digits", async () => {
  const { rows } = await db.query("select 9007199254740993::bigint as id, array[9007199254740993]::bigint[] as ids");
  expect(rows).toEqual([{ id: "9007199254740993", ids: ["9007199254740993"] }]);
});

test("a database that nobody listens for is named with host and port, never with the password", async () => {
  const port = await freePort();
  const nobody = openDatabase(`postgres://me:hidden-word@127.0.0.1:${port}/record`);
  for (const attempt of [nobody.query("select 1"), nobody.connect()]) {
    const error: unknown = await attempt.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(ServiceUnreachable);
    expect(error).toMatchObject({ message: expect.stringContaining(`127.0.0.1:${port}`) });
    expect(String(error)).not.toContain("hidden-word");
    expect(isDatabaseTrouble(error)).toBe(true);
  }
  await nobody.end();
});

test("a host that doesn't exist is unreachable, too", async () => {
  const nowhere = openDatabase("postgres://me@host.invalid:5432/record");
  await expect(nowhere.query("select 1")).rejects.toMatchObject({
    code: "SERVICE_UNREACHABLE",
    message: expect.stringContaining("host.invalid:5432"),
  });
  await nowhere.end();
});

test.each([
  ["a wrong password", { password: "wrong" }],
  ["a missing password", { password: "" }],
  ["encryption that the server doesn't have", { search: "?sslmode=require" }],
  ["a database that isn't there", { pathname: "/not_there" }],
])("%s is refused, and trying again is no use", async (_, change) => {
  const other = openDatabase(Object.assign(new URL(url), change).href);
  const error: unknown = await other.query("select 1").catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(TerminalFailure);
  expect(error).toMatchObject({ code: "DATABASE_REFUSED" });
  expect(isDatabaseTrouble(error)).toBe(false);
  await other.end();
});

test("a connection that the server ends is trouble that may pass, and the pool goes on", async () => {
  const ended = transaction(db, async (tx) => {
    const { rows } = await tx.query<{ pid: number }>("select pg_backend_pid() as pid");
    await db.query("select pg_terminate_backend($1)", [rows[0]?.pid]);
    await tx.query("select 1");
  });
  const error: unknown = await ended.catch((failure: unknown) => failure);
  expect(isDatabaseTrouble(error)).toBe(true);
  expect((await db.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
});

test("an idle connection that the server ends doesn't end the program", async () => {
  const idle = openDatabase(url, { max: 1 });
  const { rows } = await idle.query<{ pid: number }>("select pg_backend_pid() as pid");
  const removed = new Promise((resolve) => {
    idle.once("remove", resolve);
  });
  await db.query("select pg_terminate_backend($1)", [rows[0]?.pid]);
  await removed;
  expect((await idle.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await idle.end();
});

test("a query that is wrong is not trouble", async () => {
  expect(isDatabaseTrouble(await db.query("select nonsense").catch((failure: unknown) => failure))).toBe(false);
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
