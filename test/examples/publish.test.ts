import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readPlugin } from "../../bridge/manifest.ts";
import { readScriptBlock } from "../../bridge/script-block.ts";
import { readResults } from "../support/parquet.ts";
import { listJobs, testProduct } from "../support/product.ts";
import { testTools } from "../support/tools.ts";
import { bytesOf, data } from "./run-example.ts";

const folder = join(import.meta.dirname, "../../examples");
const files = (await readdir(folder)).filter((name) => name.endsWith(".py"));

test("there is one for each kind of file", () => {
  expect(files.map((name) => name.replace(".py", "")).toSorted()).toEqual(
    [
      "columnar",
      "csv_any",
      "windows_events",
      "excel",
      "fix_log",
      "fixed_width",
      "hl7",
      "json_records",
      "syslog",
      "web_log",
      "x12",
    ].toSorted(),
  );
});

test.each(files)("%s: its manifest is whole, it says what it does, and pins what it needs by range", async (name) => {
  const source = await readFile(join(folder, name), "utf8");
  const parsed = await readPlugin({ python: testTools().python, source, fileName: name });
  // Without a name of its own, so that a copy goes by its file's.
  expect(parsed).toMatchObject({ name: undefined, version: undefined, notices: [] });
  expect(parsed.manifest.patterns.length).toBeGreaterThan(0);
  const declared = readScriptBlock(source)?.dependencies ?? ["pyarrow>=17", "pandas>=2"];
  for (const dependency of declared) expect(dependency).toMatch(/^[a-z0-9-]+>=\d+(\.\d+)?(,<\d+)?$/);
  const names = declared.map((dependency) => dependency.replace(/>=.*/, "").replaceAll("-", "_"));
  expect(parsed.imports.filter((imported) => !names.includes(imported))).toEqual([]);
  expect(source).toMatch(/^"""[^]*\nIn: [^]*\nOut[^]*\nSet aside[^]*Configure it here\./m);
});

const product = await testProduct();

test("published as it is: a session of FIX with two broken messages is a table, and they are in quarantine with their places", async () => {
  await product.json("plugin", "publish", join(folder, "fix_log.py"));
  await product.json("plugin", "publish", join(folder, "windows_events.py"));
  await product.json("plugin", "publish", join(folder, "syslog.py"));
  await writeFile(join(product.inbox, "session.fix"), bytesOf("session.fix"));
  await copyFile(data("sysmon.evtx").path, join(product.inbox, "sysmon.evtx"));
  await writeFile(join(product.inbox, "zeros.syslog"), "Oct 11 22:14:15 h a: b\n\0\u0001\0\n");
  await product.run("scan", "--wait");
  const jobs = (await listJobs(product)).map(({ plugin, state }) => `${plugin} ${state}`);
  expect(jobs.toSorted()).toEqual(["fix_log PARTIAL", "syslog PARTIAL", "windows_events COMPLETED"]);
  const results = await readResults(join(product.home, "output"));
  expect(results.map(({ rows }) => rows).toSorted((one, other) => one - other)).toEqual([1, 7, 16]);
  const job = (await listJobs(product)).find(({ plugin }) => plugin === "fix_log")!;
  const shown = await product.run("quarantine", "show", job.id);
  expect(shown.stdout).toContain("line 15, byte 1814");
  expect(shown.stdout).toContain("is not tag=value, at byte 64 of the message");
});
