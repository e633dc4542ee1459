import { expect, test } from "vitest";
import { safeUrl } from "../../domain/safe-url.ts";

test.each([
  ["postgres://me:word@db:5432/record", "postgres://me:***@db:5432/record"],
  ["postgres://me@db:5432/record", "postgres://me@db:5432/record"],
  ["postgres://db:5432/record", "postgres://db:5432/record"],
  ["postgres://me:w@rd@db/record", "postgres://me:***@db/record"],
  ["postgres://me:w/rd@db/record", "postgres://me:***@db/record"],
  ["postgres://:word@db/record", "postgres://:***@db/record"],
  ["postgres://db/record?user=me&password=word&sslmode=require", "postgres://db/record?user=me&password=***&sslmode=require"],
  ["postgres://db:5432/record?application_name=a@b", "postgres://db:5432/record?application_name=a@b"],
  ["parquet://./output", "parquet://./output"],
  ["mssql://table_name", "mssql://table_name"],
  ["embedded", "embedded"],
])("%s is shown as %s", (url, shown) => expect(safeUrl(url)).toBe(shown));
