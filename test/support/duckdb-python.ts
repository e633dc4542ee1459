import { readFileSync } from "node:fs";
import { environmentOf } from "../../bridge/environments.ts";
import { pythonWith } from "./python-environment.ts";

/** The path of a Python with pyarrow, pandas, psycopg and a DuckDB of its own: an independent reader. */
export function duckdbPython(): Promise<string> {
  const packages = ["../../bridge/python/standard.txt", "duckdb-python.txt"].map((file) =>
    readFileSync(new URL(file, import.meta.url), "utf8"),
  );
  return pythonWith(environmentOf(packages.join("\n"), ">=3.10"));
}
