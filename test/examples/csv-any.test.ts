import { beforeAll, expect, test } from "vitest";
import { join } from "node:path";
import { bytesOf, data, loadExample, type Example } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("csv_any");
});

const demo = (name: string) => ({ path: join(import.meta.dirname, "../../demo/data", name) });

test("airports: types by elimination over the whole file, decimal where a double would not give the digits again", async () => {
  const ran = await example.run(demo("airports.csv"));
  expect(ran.counts).toEqual({ output: 1458 });
  expect(ran.types()).toEqual({
    faa: "string",
    name: "string",
    lat: "decimal128(17, 15)",
    lon: "decimal128(18, 15)",
    alt: "int64",
    tz: "int64",
    dst: "string",
    tzone: "string",
  });
  expect(ran.rows()[0]).toEqual({
    faa: "04G",
    name: "Lansdowne Airport",
    lat: "41.130472200000000",
    lon: "-80.619583300000000",
    alt: "1044",
    tz: "-5",
    dst: "A",
    tzone: "America/New_York",
  });
});

test("weather: 26,115 rows in several batches; NA is null where it is said so", async () => {
  const ran = await example.run(demo("weather.csv"), { NULLS: '("", "NA")' });
  expect(ran.counts).toEqual({ output: 26_115 });
  expect(ran.types()).toMatchObject({ origin: "string", temp: "double", wind_dir: "int64", time_hour: "timestamp[us, tz=UTC]" });
});

test.each([
  [
    "escaped_quotes.csv",
    [
      { a: "1", b: 'ha "ha" ha' },
      { a: "3", b: "4" },
    ],
  ],
  ["json.csv", [{ key: "1", val: '{"type": "Point", "coordinates": [102.0, 0.5]}' }]],
  [
    "newlines_crlf.csv",
    [
      { a: "1", b: "2", c: "3" },
      { a: "Once upon \r\na time", b: "5", c: "6" },
      { a: "7", b: "8", c: "9" },
    ],
  ],
  [
    "utf8.csv",
    [
      { a: "1", b: "2", c: "3" },
      { a: "4", b: "5", c: "ʤ" },
    ],
  ],
])("csv-spectrum's %s", async (name, rows) => {
  const ran = await example.run(data(name));
  expect(ran.rows()).toEqual(rows);
  expect(ran.aside).toEqual([]);
});

const table =
  'Straße;Größe;gültig;bei\nMüllerstraße;1,5;true;2024-02-29 10:00:00\n"Öl; Fett";2;false;2024-03-01 11:30:00.25\nÄrzteweg;;true;\n';
const expected = [
  { Straße: "Müllerstraße", Größe: "1,5", gültig: "true", bei: "2024-02-29T10:00:00.000000" },
  { Straße: "Öl; Fett", Größe: "2", gültig: "false", bei: "2024-03-01T11:30:00.250000" },
  { Straße: "Ärzteweg", gültig: "true" },
];

test.each([
  ["UTF-8", Buffer.from(table)],
  ["UTF-8 with a mark", Buffer.from(`\ufeff${table}`)],
  ["Latin-1", Buffer.from(table, "latin1")],
  ["UTF-16 with a mark", Buffer.from(`\ufeff${table}`, "utf16le")],
  ["UTF-16 without one", Buffer.from(table, "utf16le")],
  ["tabs", Buffer.from(table.replaceAll("Öl; Fett", "Öl_ Fett").replaceAll(";", "\t").replaceAll("_", ";"))],
  [
    "bars and line ends of CR",
    Buffer.from(table.replaceAll("Öl; Fett", "Öl_ Fett").replaceAll(";", "|").replaceAll("_", ";").replaceAll("\n", "\r")),
  ],
])("the same table in %s", async (_what, bytes) => {
  const ran = await example.run(bytes);
  expect(ran.rows()).toEqual(expected);
  expect(ran.types()).toEqual({ Straße: "string", Größe: "string", gültig: "bool", bei: "timestamp[us]" });
});

test("single quotes, and backslashes before quotes", async () => {
  expect((await example.run("a,b\n'x, y',1\n'z',2\n")).rows()).toEqual([
    { a: "x, y", b: "1" },
    { a: "z", b: "2" },
  ]);
  expect((await example.run('a,b\n"x \\"y\\", z",1\n')).rows()).toEqual([{ a: 'x "y", z', b: "1" }]);
});

test("leading zeros, large numbers, exponents and mixed dates keep what they are", async () => {
  const ran = await example.run(
    "zip,id,sum,e,day,day\n00501,9223372036854775808,0.1,1e3,2024-02-29,29.02.2024\n90210,1,12345678901234567.25,2,2024-02-28,2024-02-28\n",
  );
  expect(ran.types()).toEqual({
    zip: "string",
    id: "decimal128(19, 0)",
    sum: "decimal128(19, 2)",
    e: "double",
    day: "date32[day]",
    day_2: "string",
  });
  expect(ran.rows()[1]).toEqual({ zip: "90210", id: "1", sum: "12345678901234567.25", e: "2", day: "2024-02-28", day_2: "2024-02-28" });
});

test("records that don't fit the header are set aside with their line, and no other", async () => {
  const ran = await example.run('id,name,qty\n1,a,1\n2,b\n\n3,c,3,x\n4,"open,4\n5,e,5\n6,"f"x,6\n7,"two\nlines",7\n');
  expect(ran.rows().map((row) => row["id"])).toEqual(["1", "5", "7"]);
  expect(ran.aside).toEqual([
    "line 3: 2 fields, the header has 3",
    "line 5: 4 fields, the header has 3",
    expect.stringMatching(/^line 6: .*; the next line is read as a record of its own$/) as string,
    "line 8: ',' expected after '\"'",
  ]);
  expect(ran.rejected()[2]).toMatchObject({ text: '4,"open,4' });
});

test("types that are asked for: what is not of them is set aside by its column", async () => {
  const ran = await example.run("id,price\n1,2.50\n2,free\n3,\n", { TYPES: '{"price": pa.decimal128(10, 2)}' });
  expect(ran.types()).toEqual({ id: "int64", price: "decimal128(10, 2)" });
  expect(ran.rows()).toEqual([{ id: "1", price: "2.50" }, { id: "3" }]);
  expect(ran.rejected()).toEqual([
    { _cf_reason: "'free' is not decimal128(10, 2)", _cf_column: "price", _cf_position: "line 3", text: "2\tfree" },
  ]);
});

test("bytes of another encoding in a file of UTF-8: that line only", async () => {
  const ran = await example.run(
    Buffer.concat([Buffer.from("a,b\nä,1\nö,2\n"), Buffer.from("gr\xf6\xdfe,3\n", "latin1"), Buffer.from("ü,4\n")]),
  );
  expect(ran.rows().map((row) => row["b"])).toEqual(["1", "2", "4"]);
  expect(ran.aside).toEqual(["line 4: there are bytes that are not utf-8"]);
  expect(ran.rejected()[0]!["text"]).toBe("gr\\xf6\\xdfe,3");
});

test("hostile files: set aside or refused in words", async () => {
  expect(await example.fail("")).toBe("ValueError: the file is empty: it has no header");
  expect(await example.fail(Buffer.concat([Buffer.alloc(64, 1), Buffer.alloc(8), bytesOf("flights.parquet")]))).toContain(
    "no text: it has zero bytes",
  );
  const long = await example.run(`a,b\n1,${"x".repeat(1_000_000)}\n2,${"y".repeat(1_100_000)}\n3,${"z,".repeat(3_000_000)}\n4,w\n`);
  expect(long.rows().map((row) => row["a"])).toEqual(["1", "4"]);
  expect(long.aside).toEqual(["line 3: field larger than field limit (1048576)", "line 4: a line is longer than 4194304 characters"]);
  const cut = await example.run('a,b\n1,x\n2,"y');
  expect(cut.counts).toEqual({ output: 1, _quarantine: 1 });
  expect(cut.aside).toEqual(["line 3: unexpected end of data"]);
});
