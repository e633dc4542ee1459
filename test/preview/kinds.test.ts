import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { previewFile } from "../../preview/preview.ts";
import { previewFolder, typesOf } from "./preview-text.ts";

const folder = previewFolder();

test("delimiters and quotes, with newlines in quotes and other quotes within", async () => {
  for (const [delimiter, name] of [
    [",", "a.csv"],
    [";", "b.txt"],
    ["\t", "c.tsv"],
    ["|", "d.txt"],
    ["\u0001", "e.txt"],
  ] as const) {
    const lines = [
      ["id", "text"],
      ["1", '"one\ntwo ""three"""'],
      ["2", "plain"],
    ].map((row) => row.join(delimiter));
    const table = await folder.content("delimited", name, `${lines.join("\n")}\n`);
    expect(table).toMatchObject({
      delimiter,
      quote: '"',
      newlinesInQuotes: true,
      rows: 2,
      first: [
        ["1", 'one\ntwo "three"'],
        ["2", "plain"],
      ],
    });
  }
  expect(await folder.content("delimited", "f.csv", "id,'name'\n1,'a, b'\n2,'c'\n")).toMatchObject({
    quote: "'",
    first: [
      ["1", "a, b"],
      ["2", "c"],
    ],
  });
});

test("a header or none, with the reason", async () => {
  const header = async (content: string) => (await folder.content("delimited", "h.csv", content)).header;
  expect(await header("id,name\n1,x\n")).toBe(true);
  expect(await header("1,x\n2,y\n")).toBe(false);
  expect(await header("id,name\n")).toBe(true);
  expect(await header("country,2020,2021\nDE,1,2\n")).toBe(true);
  expect(await header("red,blue\nred,green\nblue,red\n")).toBe(false);
  expect(await folder.content("delimited", "h.csv", "id,id,\n1,2,3\n")).toMatchObject({
    header: true,
    renamed: true,
    columns: [{ name: "id" }, { name: "id_2" }, { name: "column_3" }],
  });
});

test("rows of another length are counted with their lines, titles above the header are left out", async () => {
  const ragged = await folder.content("delimited", "r.csv", "id,a,b\n1,x,2\n2,y\n3,z,4,5\n4,w,6\n5,w,6\n");
  expect(ragged).toMatchObject({
    rows: 3,
    ragged: {
      count: 2,
      first: [
        { line: 3, fields: 2 },
        { line: 4, fields: 4 },
      ],
    },
  });
  const titled = await folder.content("delimited", "t.csv", "Report\nby hand\n\nid,a,b\n1,x,2\n2,x,2\n");
  expect(titled).toMatchObject({ skip: 3, header: true, rows: 2, columns: [{ name: "id" }, { name: "a" }, { name: "b" }] });
});

test("a quote that is never closed is said with its line", async () => {
  const preview = await folder.look("q.csv", 'id,text\n1,"never closed\n2,x\n');
  expect(preview.notices).toContain("the quote that line 2 opens is never closed");
});

test("JSON: an array, lines, an object with rows in it, and what is none", async () => {
  const array = await folder.content(
    "json",
    "a.json",
    '[{"id":1,"at":"2026-01-02T03:04:05Z","v":1.5,"t":7},{"id":2,"at":null,"v":2,"t":"x"}]',
  );
  expect(array).toMatchObject({ layout: "array", rows: 2 });
  expect(typesOf(array)).toEqual(["id: int64", "at: timestamp[s, tz=UTC]", "v: double", "t: string"]);
  expect(array.columns[3]!.notes).toEqual(["it holds texts (1) and numbers (1), so all become text"]);
  const lines = await folder.look("b.jsonl", `${'{"a":1}\n'.repeat(30)}broken\n`);
  expect(lines).toMatchObject({ content: { layout: "lines", rows: 30 }, notices: ["one line is no JSON object, first line 31"] });
  expect(await folder.content("json", "c.json", '{"meta":{},"data":{"rows":[{"a":1},{"a":2}]}}')).toMatchObject({
    path: ["data", "rows"],
    rows: 2,
  });
  expect((await folder.look("d.json", '[{"a":1},')).notices[0]).toMatch(/begins like JSON, and is none/);
});

test("fixed width, XML, plain lines, and files with nothing in them", async () => {
  const fixed = await folder.content(
    "fixed-width",
    "f.txt",
    "NAME      DAY          AMOUNT\nSmith     2026-01-02    12.50\nO Neil    2026-01-03     3.75\nMiller    2026-01-04   100.00\n",
  );
  expect(typesOf(fixed)).toEqual(["NAME: string", "DAY: date32[day]", "AMOUNT: double"]);
  expect(await folder.content("xml", "x.xml", '<?xml version="1.0"?><a><o id="1"><n>x</n></o><o id="2"/></a>')).toMatchObject({
    root: "a",
    row: "o",
    rows: 2,
    columns: ["id", "n"],
  });
  expect(await folder.content("lines", "l.txt", "This is a text, of some length.\nNobody, I hope, calls it a table.\n")).toMatchObject({
    rows: 2,
  });
  expect(await folder.content("empty", "e.csv", "")).toEqual({ kind: "empty" });
  expect(await folder.content("empty", "b.csv", "\n \n")).toEqual({ kind: "empty" });
});

test("gzip is looked into, binary is known by its first bytes, text that begins like binary stays text", async () => {
  expect(await folder.look("z.csv.gz", gzipSync("id,name\n1,x\n"))).toMatchObject({
    packed: { as: "gzip" },
    content: { kind: "delimited", rows: 1 },
  });
  const whole = gzipSync(`id,name\n${Array.from({ length: 500 }, (_, n) => `${n},name ${n * 7}`).join("\n")}\n`);
  expect((await folder.look("cut.csv.gz", whole.subarray(0, -100))).notices[0]).toMatch(/gzip stops in the middle/);
  expect(await folder.content("binary", "x.dat", Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(200)]))).toMatchObject({
    what: expect.stringMatching(/sqlite/),
  });
  expect(await folder.content("delimited", "x.csv", "BM,n\na,1\nb,2\n")).toMatchObject({ header: true });
});

test("a line of a megabyte, and a sample that ends within a row", async () => {
  const long = await folder.content("delimited", "long.csv", `id,text\n1,${"x".repeat(1_000_000)}\n2,y\n`);
  expect(long).toMatchObject({ rows: 2, longestRow: expect.closeTo(1_000_000, -2) });
  const cut = await folder.look("rows.csv", `id,n\n${"12,34\n".repeat(1_000)}`, { bytesMax: 100 });
  expect(cut).toMatchObject({ sample: { bytes: 100, isWhole: false }, content: { kind: "delimited", rows: 15, ragged: { count: 0 } } });
});

test("every file of the repository's tests and plugins can be looked at", async () => {
  const root = resolve(import.meta.dirname, "../..");
  const files = ["", "test/plugins", "docs", "db/migrations", "services"].flatMap((name) =>
    readdirSync(join(root, name)).map((file) => join(root, name, file)),
  );
  const looked = await Promise.all(
    files.filter((file) => statSync(file).isFile()).map((file) => previewFile(file, { bytesMax: 1_000_000, rowsShown: 1 })),
  );
  expect(looked.length).toBeGreaterThan(30);
  expect(looked.filter(({ content }) => content.kind === "binary").map(({ path }) => path)).toEqual([]);
});
