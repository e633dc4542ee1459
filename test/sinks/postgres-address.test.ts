import { expect, test } from "vitest";
import { postgresAddress, postgresUri } from "../../sinks/postgres/address.ts";

test.each([
  ["postgres://lake/sales.trades", { server: { connection: "lake" }, table: { schema: "sales", name: "trades" } }],
  ["postgresql://lake", { server: { connection: "lake" }, table: null }],
  ["postgres://lake/v1%2E2.Trades%20%C3%A9", { server: { connection: "lake" }, table: { schema: "v1.2", name: "Trades é" } }],
  [
    "postgres://ann@db:5433/lake?table=trades",
    { server: { url: "postgres://ann@db:5433/lake" }, table: { schema: "public", name: "trades" } },
  ],
  ["postgres://db.example/lake?sslmode=require", { server: { url: "postgres://db.example/lake?sslmode=require" }, table: null }],
])("the address %s", (given, expected) => {
  expect(postgresAddress(given)).toEqual(expected);
});

test("addresses of one table are written in one way", () => {
  expect(
    ["postgres://lake", "postgresql://lake/trades", "postgres://lake/public.trades"].map((given) => postgresUri(given, "trades")),
  ).toEqual(Array.from({ length: 3 }, () => "postgres://lake/public.trades"));
  expect(postgresUri("postgres://ann@db/lake?table=a%2Eb.c&sslmode=require", "x")).toBe(
    "postgres://ann@db/lake?sslmode=require&table=a%2Eb.c",
  );
});

test.each([
  ["postgres://ann:secret@db/lake?table=t", "holds a password"],
  ["postgres://ann@db/lake?table=t&password=secret", "holds a password"],
  ["postgres://lake/a.b.c", `"a.b.c" is not a table`],
  ["postgres://ann@db?table=t", "it names no database"],
  ["postgres://lake/%ZZ", "is not percent-encoded"],
])("the address %s is refused, without its password", (given, message) => {
  expect(() => postgresUri(given, "t")).toThrow(message);
  expect(() => postgresUri(given, "t")).not.toThrow(/secret/);
});

test("an output whose name is too long for a table is told so", () => {
  expect(() => postgresUri("postgres://lake", "x".repeat(64))).toThrow("has 64 bytes");
});
