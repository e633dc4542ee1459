import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ArrowMessage } from "../../domain/arrow.ts";
import { differRows } from "../../trial/compare/differ-rows.ts";
import { openEngine, type Engine } from "../../trial/compare/engine.ts";
import { createSideWriter, type SideOutput } from "../../trial/compare/side.ts";
import { messagesOf } from "../sinks/arrow.ts";
import { testTools } from "../support/tools.ts";

let folder: string;
let engine: Engine;
let cases: readonly { readonly name: string; readonly type: string; readonly texts: readonly unknown[] }[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-compare-types-"));
  const { stdout } = await execa(testTools().environmentPython, [join(import.meta.dirname, "../arrow/texts.py"), folder]);
  cases = JSON.parse(stdout) as typeof cases;
  engine = await openEngine(join(folder, "rows.duckdb"), new AbortController().signal);
});
afterAll(async () => {
  engine.close();
  await rm(folder, { recursive: true });
});

let sides = 0;

async function sideOf(schema: ArrowMessage, messages: readonly ArrowMessage[]): Promise<SideOutput> {
  const own = join(folder, `side-${(sides += 1)}`);
  await mkdir(own);
  const writer = createSideWriter(own);
  await writer.keeper.open("out", schema);
  for (const message of messages) await writer.keeper.message("out", message);
  return (await writer.finish()).outputs.get("out")!;
}

const exactly = { key: [], tolerance: null, path: "a" };

test("values of every Arrow type are the same as themselves, nulls too, and count as often as they are there", async () => {
  expect(cases.length).toBeGreaterThan(50);
  for (const { name, type, texts } of cases) {
    const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
    const before = await sideOf(schema, messages);
    const after = await sideOf(schema, [...messages, ...messages.filter(({ kind }) => kind === "batch")]);
    const rows = { before: texts.length, after: 2 * texts.length };
    const differing = await differRows(engine, { before, after, rows, ...exactly });
    expect([type, differing]).toMatchObject([type, { same: texts.length, added: texts.length, removed: 0 }]);
    expect(await differRows(engine, { before, after: before, rows, ...exactly })).toMatchObject({ added: 0, removed: 0 });
  }
});

test("every value of a type that is another one is told from it", async () => {
  // The numbers of rows are left out: only the values decide.
  for (const { name, type, texts } of cases.filter((each) =>
    /^(int|uint|float|double|string|bool|decimal|date|time|list|struct)/.test(each.type),
  )) {
    const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
    const side = await sideOf(schema, messages);
    await engine.load("values_of_type", side.rows, [1]);
    const distinct = new Set(texts).size;
    const [found] = await engine.rows<[number]>(
      "select (count(distinct c0) + count(distinct case when c0 is null then 1 end))::double from values_of_type",
    );
    expect([type, found![0]]).toEqual([type, distinct]);
  }
});
