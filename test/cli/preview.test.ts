import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import type { PreviewResult } from "../../control/preview-file.ts";
import { trialFolder } from "../support/trial.ts";

const folder = trialFolder();
const examples = resolve(import.meta.dirname, "../../examples");

test("a page for people, with every doubt, and the same as JSON", async () => {
  folder.write("a.csv", "id;day;price\n1;01/02/2026;1,5\n2;03/04/2026;\n");
  const page = await folder.run("preview", "a.csv");
  expect(page).toMatchObject({ exitCode: 0, stderr: "" });
  for (const words of [
    "delimited text, 2 rows",
    "looked at all of it",
    "semicolon",
    "price   double",
    "1 (empty)",
    "no value tells it from",
    "a.csv --plugin NAME.py",
  ])
    expect(page.stdout).toContain(words);
  const { content, text } = await folder.json<PreviewResult>("preview", "a.csv");
  expect(text).toMatchObject({ encoding: { python: "utf-8" }, lineEnds: { lf: 3 } });
  expect(content).toMatchObject({
    kind: "delimited",
    columns: [{ arrow: "int64" }, { arrow: "date32[day]" }, { arrow: "double", nulls: 1 }],
  });
});

test("a written plugin is never written over, and what can't be read is said", async () => {
  folder.write("b.csv", "id,n\n1,2\n");
  const first = await folder.run("preview", "b.csv", "--plugin", "b.py");
  expect(first).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/Wrote b\.py\nNext: casparian plugin test b\.py --on b\.csv/) as string,
  });
  expect(readFileSync(join(folder.path, "b.py"), "utf8")).toMatch(/^class Handler:$/m);
  expect(await folder.run("preview", "b.csv", "--plugin", "b.py")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/b\.py is there already/) as string,
  });
  expect(await folder.run("preview", "none.csv")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/there is no file .*none\.csv/) as string,
  });
  expect(await folder.run("preview", ".")).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/is a folder/) as string });
});

test("the examples that come along are listed, and copied", async () => {
  const names = existsSync(examples) ? readdirSync(examples).filter((name) => name.endsWith(".py")) : [];
  expect(await folder.json("plugin", "new", "--examples")).toEqual(names.map((name) => name.slice(0, -3)).toSorted());
  for (const name of names.slice(0, 1)) {
    expect(await folder.run("plugin", "new", "copy", "--like", name.slice(0, -3))).toMatchObject({ exitCode: 0 });
    expect(readFileSync(join(folder.path, "copy.py"), "utf8")).toBe(readFileSync(join(examples, name), "utf8"));
  }
});
