import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findInputs } from "../../trial/inputs.ts";

const cwd = mkdtempSync(join(tmpdir(), "casparian-inputs-"));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
for (const name of ["many/1.csv", "many/2.csv", "many/in/3.csv", "many/4.txt", "many/.hidden/5.csv", "none/6.txt"]) {
  mkdirSync(dirname(join(cwd, name)), { recursive: true });
  writeFileSync(join(cwd, name), "id\n1\n");
}

async function find(on: readonly string[], limit = 10) {
  const { inputs, ...counts } = await findInputs(on, { cwd, limit, takes: (relPath) => relPath.endsWith(".csv") });
  return {
    ...counts,
    names: inputs.map(({ path }) => relative(cwd, path)),
    roots: [...new Set(inputs.map(({ root }) => relative(cwd, root)))],
  };
}

test("folders by what the plugin takes, without what is hidden; each file once; a limit", async () => {
  const all = ["many/1.csv", "many/2.csv", "many/in/3.csv"];
  expect(await find(["many"])).toEqual({ names: all, found: 3, notTaken: 1, roots: ["many"] });
  expect(await find(["many", "many/1.csv"], 2)).toMatchObject({ names: all.slice(0, 2), found: 3 });
});

test("files and globs are taken whatever the plugin takes, below the folder that they name", async () => {
  expect(await find(["many/**/[34].*", "many/4.txt"])).toMatchObject({
    names: ["many/4.txt", "many/in/3.csv"],
    found: 2,
    notTaken: 0,
    roots: ["many"],
  });
  expect(await find([join(cwd, "many/*.csv")])).toMatchObject({ names: ["many/1.csv", "many/2.csv"] });
});

test("what stands for nothing is said by its kind", async () => {
  await expect(find(["none"])).rejects.toThrow("the plugin's patterns take none of the files below none (1)");
  await expect(find(["many/*.xml"])).rejects.toThrow("no file matches many/*.xml");
  await expect(find(["gone.csv"])).rejects.toThrow("there is no file gone.csv");
});
