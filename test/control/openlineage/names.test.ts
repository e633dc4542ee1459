import { expect, test } from "vitest";
import { inputDataset, outputDataset } from "../../../control/openlineage/dataset.ts";
import { staticUuid } from "../../../control/openlineage/run-id.ts";

test.each([
  ["parquet://output/trades", "/home/ann/output/trades/a.v1.parquet", "file", "/home/ann/output/trades"],
  ["parquet://./output/trades/", "/home/ann/output/trades/day=1/a.v1.parquet", "file", "/home/ann/output/trades"],
  ["parquet:///data/trades", "/data/trades/a.v1.parquet", "file", "/data/trades"],
  ["parquet://../shared", "/home/shared/a.v1.parquet", "file", "/home/shared"],
  ["csv://output/trades", "/home/ann/output/trades/a.v1.csv", "file", "/home/ann/output/trades"],
  ["jsonl://output/trades", "/home/ann/output/trades/a.v1.jsonl", "file", "/home/ann/output/trades"],
  ["s3://bucket/a/b/", "s3://bucket/a/b/c.parquet", "s3://bucket", "a/b"],
  ["s3://bucket/a/b", "s3://bucket/a/b/c.parquet", "s3://bucket", "a/b"],
  ["s3://bucket", "s3://bucket/c.parquet", "s3://bucket", "/"],
  ["postgres://ann@db.example/sales?table=eu.trades", "", "postgres://db.example:5432", "sales.eu.trades"],
  ["postgres://db.example:6000/sales", "", "postgres://db.example:6000", "sales.public.out"],
  ["postgres://warehouse/eu.trades", "", "postgres://warehouse", "eu.trades"],
  ["postgres://warehouse", "", "postgres://warehouse", "public.out"],
  ["postgres://warehouse/trades", "", "postgres://warehouse", "public.trades"],
  ["postgres://warehouse/e%2Eu.big%20trades", "", "postgres://warehouse", "e.u.big trades"],
  ["postgresql://db.example/my%20sales?sslmode=require", "", "postgres://db.example:5432", "my sales.public.out"],
  ["postgres:///sales?table=trades", "", "postgres://localhost:5432", "sales.public.trades"],
  ["postgres:///sales?host=db.example&port=6000&table=trades", "", "postgres://db.example:6000", "sales.public.trades"],
  ["postgres:///sales?host=/var/run/postgresql", "", "postgres://localhost:5432", "sales.public.out"],
  ["postgres://[::1]:6000/sales", "", "postgres://[::1]:6000", "sales.public.out"],
  ["mssql://trades", "", "mssql://mssql", "dbo.trades"],
  ["mssql://dbo.trades", "", "mssql://mssql", "dbo.trades"],
  ["mssql://books.big%20trades?connection=erp", "", "mssql://erp", "books.big trades"],
  ["duckdb://lake.duckdb?table=eu.trades", "duckdb:///home/lake.duckdb?table=eu.trades", "duckdb:///home/lake.duckdb", "eu.trades"],
])("%s is a dataset by the names of the specification", (uri, target, namespace, name) => {
  expect(outputDataset({ uri, target, output: "out" })).toMatchObject({ namespace, name });
});

test.each(["mssql://sa:secret@sql.example:1433/erp.dbo.trades", "postgres://ann:secret@db.example/sales"])(
  "an address with a password, which no sink takes, names no dataset and is not told: %#",
  (uri) => {
    const naming = (): unknown => outputDataset({ uri, target: "", output: "out" });
    expect(naming).toThrow(/sql\.example|db\.example/);
    expect(naming).not.toThrow(/secret/);
  },
);

test("a file is named by its path", () => {
  expect(inputDataset({ source: "in", root: "/data/in box", path: "a/b.csv" })).toEqual({
    namespace: "file",
    name: "/data/in box/a/b.csv",
    kind: "FILE",
    source: { name: "in", uri: "file:///data/in%20box" },
  });
});

test("a run's id follows from its moment and data, and sorts by time", () => {
  const at = new Date("2026-01-31T08:00:00.123Z");
  const id = staticUuid(at, "record/1/1");
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16)).toBe(at.getTime());
  expect(staticUuid(at, "record/1/1")).toBe(id);
  expect(staticUuid(at, "record/1/2")).not.toBe(id);
  expect(staticUuid(new Date(at.getTime() + 1), "record/1/1") > id).toBe(true);
});
