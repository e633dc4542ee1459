import { expect, test } from "vitest";
import { postgresAddress } from "../../sinks/postgres/address.ts";
import { splitKeep, targetUri } from "../../sinks/tables/keep.ts";
import { topicUri } from "../../sinks/topic-uri.ts";

test.each([
  ["postgres://lake/sales.trades", "postgres://lake/sales.trades"],
  ["postgresql://lake", "postgres://lake/public.out"],
  ["postgres://ann@db/lake?sslmode=require&table=trades", "postgres://ann@db/lake?sslmode=require&table=public.trades"],
  ["duckdb://./lake.duckdb", "duckdb://lake.duckdb?table=main.out"],
  ["duckdb:///data/what?/lake?table=trades", "duckdb:///data/what?/lake?table=main.trades"],
  ["mssql://books.trades?connection=erp", "mssql://books.trades?connection=erp"],
])("%s is the same target with keep=replaced and without, and a topic says which", (given, written) => {
  const asked = `${given}${given.includes("?") ? "&" : "?"}keep=replaced`;
  expect(splitKeep(asked)).toEqual({ uri: given, keeps: true });
  expect(splitKeep(given)).toEqual({ uri: given, keeps: false });
  expect(topicUri(given, "out")).toBe(written);
  const kept = topicUri(asked, "out");
  expect(kept).toBe(`${written}${written.includes("?") ? "&" : "?"}keep=replaced`);
  expect([targetUri(kept), topicUri(kept, "out")]).toEqual([written, kept]);
});

test("keep=replaced may stand anywhere among the parameters", () => {
  expect(postgresAddress("postgres://ann@db/lake?keep=replaced&table=t&sslmode=require")).toEqual({
    server: { url: "postgres://ann@db/lake?sslmode=require" },
    table: { schema: "public", name: "t" },
  });
  expect(postgresAddress("postgres://lake/t?keep=replaced")).toEqual({
    server: { connection: "lake" },
    table: { schema: "public", name: "t" },
  });
});

test("a table keeps nothing else, and a folder's name may have any words", () => {
  expect(() => topicUri("postgres://lake/t?keep=all", "t")).toThrow('asks for "keep=all"');
  expect(() => topicUri("duckdb://lake?table=t&keep=", "t")).toThrow('asks for "keep="');
  expect(targetUri("csv://odd?keep=replaced")).toBe("csv://odd?keep=replaced");
});
