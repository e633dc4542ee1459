import { readFileSync } from "node:fs";
import { ensureEnvironment, environmentOf } from "../../bridge/environments.ts";
import { environmentRoot } from "./environment-root.ts";
import { quietLog } from "./quiet-log.ts";
import { testTools } from "./tools.ts";

/** The path of a Python with pyarrow, pandas and a DuckDB of its own: an independent reader. */
export async function duckdbPython(): Promise<string> {
  const tools = testTools();
  const packages = ["../../bridge/python/standard.txt", "duckdb-python.txt"].map((file) =>
    readFileSync(new URL(file, import.meta.url), "utf8"),
  );
  const { python } = await ensureEnvironment({
    environment: environmentOf(packages.join("\n"), ">=3.10"),
    root: environmentRoot,
    uv: tools.uv,
    interpreter: tools.python,
    signal: new AbortController().signal,
    log: quietLog,
    onProgress: () => {},
  });
  return python;
}
