import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Table, tableToIPC, Utf8, vectorFromArray } from "apache-arrow";
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
  engine = await openEngine(join(folder, "duckdb"), new AbortController().signal);
});
afterAll(async () => {
  engine.close();
  await rm(folder, { recursive: true });
});

let made = 0;

async function sideOf(schema: ArrowMessage, messages: readonly ArrowMessage[]): Promise<SideOutput> {
  const own = join(folder, `side-${(made += 1)}`);
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
    const [found] = await engine.rows<[number]>("select count(distinct v)::double from values_of_type");
    expect([type, found![0]]).toEqual([type, distinct]);
  }
});

test("a thousand columns, and values with whatever is in them, are compared in bounded memory", async () => {
  const wide = (value: string): Uint8Array =>
    tableToIPC(
      new Table(
        Object.fromEntries(
          Array.from({ length: 1_500 }, (_, at) => [`we"ird ${at}`, vectorFromArray([`v${at}`, at === 700 ? value : "w"], new Utf8())]),
        ),
      ),
      "stream",
    );
  const [before, after] = [messagesOf(wide("a\0b")), messagesOf(wide("a\0c"))];
  const sides = { before: await sideOf(before.schema, before.messages), after: await sideOf(after.schema, after.messages) };
  const key = ['we"ird 0', 'we"ird 1'];
  const found = await differRows(engine, { ...sides, rows: { before: 2, after: 2 }, key, tolerance: 1e-9, path: "a" });
  expect(found).toMatchObject({ same: 1, changed: 1, changes: [{ column: 'we"ird 700', rows: 1 }] });
  expect(found.examples[0]!.values.at(-1)).toEqual({ column: 'we"ird 700', before: "a\0b", after: "a\0c" });
});
