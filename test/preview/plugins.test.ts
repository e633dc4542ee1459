import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTrials, type FileTrial, type Trials } from "../../control/try-plugin.ts";
import { previewPath } from "../../control/preview-file.ts";
import { environmentRoot } from "../support/environment-root.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testTools } from "../support/tools.ts";

const folder = mkdtempSync(join(tmpdir(), "casparian-preview-plugins-"));
let trials: Trials;
let written = 0;

beforeAll(async () => {
  const { uv, python } = testTools();
  trials = await openTrials({
    tools: { uv, python },
    stateDir: dirname(environmentRoot),
    limits: { seconds: 60, memoryBytes: 1024 * 1024 * 1024, scratchBytes: 2 ** 30, logBytes: 1024 * 1024 },
    log: quietLog,
    onProgress: () => {},
    signal: new AbortController().signal,
  });
});

afterAll(async () => {
  await trials.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Looks at a file, writes a plugin from what it shows, and runs that over the file. */
async function readBack(name: string, content: string | Uint8Array): Promise<FileTrial> {
  const path = join(folder, name);
  writeFileSync(path, content);
  const plugin = join(folder, `p${(written += 1)}.py`);
  const preview = await previewPath(path, { bytesMax: 8_000_000, rowsShown: 5 }, plugin);
  const trial = await trials.run({ file: plugin, on: [path], cwd: folder, filesMax: 1, rowsShown: 5, contracts: [] });
  const [file] = trial.files as [FileTrial];
  expect(trial.warnings).toEqual([]);
  expect(file.failure).toBeNull();
  const told = "columns" in preview.content ? preview.content.columns : [];
  // What is yielded has the types that were announced.
  if (typeof told[0] === "object") {
    const announced = told.map((column) =>
      typeof column === "string" ? column : `${column.name}: ${"arrow" in column ? column.arrow : column.type}`,
    );
    expect(file.outputs[0]!.columns.map((column) => `${column.name}: ${column.type}`)).toEqual(announced);
  }
  return file;
}

test("dates, commas, groups and missing values of a German export in windows-1252", async () => {
  const text = "Tag;Ort;Betrag;Menge;Stand\r\n31.12.2026;Köln;1.234,50;1,5;01.02.2026 10:11:12\r\n01.02.2026;Zürich;n/a;2,25;\r\n";
  const { outputs } = await readBack("de.csv", Buffer.from(text, "latin1"));
  expect(outputs[0]!.first).toEqual([
    ["2026-12-31", "Köln", "1234.5", "1.5", "2026-02-01T10:11:12"],
    ["2026-02-01", "Zürich", null, "2.25", null],
  ]);
});

test("rows of another length are set aside with their place, quotes and newlines are kept", async () => {
  const { outputs, setAside } = await readBack("ragged.csv", 'id,text,n\n1,"one\ntwo",3\n2,short\n3,"say ""x""",4\n4,a,5\n5,b,6\n');
  expect(outputs[0]).toMatchObject({
    rows: 4,
    first: [
      ["1", "one\ntwo", "3"],
      ["3", 'say "x"', "4"],
      ["4", "a", "5"],
      ["5", "b", "6"],
    ],
  });
  expect(setAside[0]).toMatchObject({
    rows: 1,
    reasons: [{ reason: "2 fields, 3 were expected" }],
    first: [{ raw: '{"text":"2,short"}' }],
  });
});

test("no header, leading zeros, NA as a value, yes and no, in gzip", async () => {
  const { outputs } = await readBack("codes.csv.gz", gzipSync("01234,NA,1,yes\n00501,DE,NA,no\n90210,US,3,yes\n"));
  expect(outputs[0]!.first).toEqual([
    ["01234", "NA", "1", "true"],
    ["00501", "DE", null, "false"],
    ["90210", "US", "3", "true"],
  ]);
});

test("only a header still gives columns", async () => {
  expect((await readBack("head.csv", "id;name\r\n")).outputs[0]).toMatchObject({ rows: 0, columns: [{ name: "id" }, { name: "name" }] });
});

test("two encodings side by side are read line by line", async () => {
  const mixed = Buffer.concat([Buffer.from("name,n\nMüller,1\nZoë,2\n"), Buffer.from("Groß,3\n", "latin1")]);
  expect((await readBack("mixed.csv", mixed)).outputs[0]!.first).toEqual([
    ["Müller", "1"],
    ["Zoë", "2"],
    ["Groß", "3"],
  ]);
});

test("JSON lines with nested and mixed values, and a line that is none", async () => {
  const lines = [
    '{"id":1,"at":"2026-01-02T03:04:05Z","x":{"a":[1]},"t":"é"}',
    "broken",
    ...Array.from({ length: 20 }, (_, n) => `{"id":${n + 2},"at":null,"x":null,"t":7}`),
  ];
  const { outputs, setAside } = await readBack("events.jsonl", lines.join("\n"));
  expect(outputs[0]).toMatchObject({ rows: 21 });
  expect(outputs[0]!.first.slice(0, 2)).toEqual([
    ["1", "2026-01-02T03:04:05Z", '{"a": [1]}', "é"],
    ["2", null, null, "7"],
  ]);
  expect(setAside[0]).toMatchObject({ rows: 1, first: [{ filePosition: "line 2" }] });
});

test("fixed width", async () => {
  const fixed = await readBack(
    "fixed.txt",
    "NAME      DAY          AMOUNT\nSmith     2026-01-02    12.50\nO Neil    2026-01-03         \nMiller    2026-01-04   100.00\n",
  );
  expect(fixed.outputs[0]!.first[1]).toEqual(["O Neil", "2026-01-03", null]);
});

test("XML: the elements that come again and again", async () => {
  const xml = await readBack("orders.xml", '<?xml version="1.0"?><a xmlns="urn:x"><o id="1"><n>x &amp; y</n></o><o id="2"/></a>');
  expect(xml.outputs[0]!.first).toEqual([
    ["1", "x & y"],
    ["2", null],
  ]);
});

test("text without a form becomes lines, and binary is refused with what to do", async () => {
  expect((await readBack("notes", "first line, here\nsecond\n")).outputs[0]!.first).toEqual([
    ["1", "first line, here"],
    ["2", "second"],
  ]);
  const path = join(folder, "x.dat");
  writeFileSync(path, Buffer.alloc(500, 7));
  await expect(previewPath(path, { bytesMax: 1_000, rowsShown: 1 }, join(folder, "never.py"))).rejects.toThrow(/no plugin can be made/);
  await expect(previewPath(join(folder, "notes"), { bytesMax: 1_000, rowsShown: 1 }, join(folder, "p1.py"))).rejects.toThrow(
    `${basename("p1.py")} is there already`,
  );
});
