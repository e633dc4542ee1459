import { beforeAll, expect, test } from "vitest";
import { bytesOf, data, loadExample, type Example } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("json_records");
});

const movies = JSON.parse(bytesOf("movies.json").toString()) as readonly Record<string, unknown>[];

test("25 movies as an array, as lines, as an array in one line, and in UTF-16: the same rows and types", async () => {
  const array = await example.run(data("movies.json"));
  expect(array.counts).toEqual({ output: 25 });
  expect(array.types()).toMatchObject({ Title: "string", "US Gross": "int64", "IMDB Rating": "double", "Release Date": "string" });
  expect(array.rows()[0]).toMatchObject({ Title: '"The Land Girls"', "US Gross": "146083", "IMDB Rating": "6.1" });
  const lines = movies.map((movie) => JSON.stringify(movie)).join("\n");
  for (const form of [lines, JSON.stringify(movies), Buffer.from(`\ufeff${lines}`, "utf16le"), `\ufeff${lines}\n`]) {
    const ran = await example.run(form);
    expect(ran.rows()).toEqual(array.rows());
    expect(ran.types()).toEqual(array.types());
  }
});

test("an array that is within an object", async () => {
  const ran = await example.run(JSON.stringify({ meta: { n: 2 }, data: { items: [{ a: 1 }, { a: 2 }] } }), { RECORDS_AT: '"data.items"' });
  expect(ran.rows()).toEqual([{ a: "1" }, { a: "2" }]);
  expect(await example.fail('{"data": {}}', { RECORDS_AT: '"data.items"' })).toContain("there is no array at data.items");
});

test("nested records, keys that some lack, kinds that differ, and numbers that no double holds", async () => {
  const lines = [
    '{"id": 1, "who": {"name": "Ann", "tags": ["x", null]}, "mixed": 1, "exact": 0.1, "big": 1, "none": null, "free": {}}',
    '{"id": 9007199254740993, "who": {"name": "Bob", "age": 3}, "mixed": "one", "exact": 0.12345678901234567890, "big": 1.5}',
    '{"id": 3, "late": [{"d": 1}, {"d": 2.5}], "mixed": {"a": [1.10]}, "big": 9007199254740993}',
  ];
  const ran = await example.run(lines.join("\n"));
  expect(ran.types()).toEqual({
    id: "int64",
    who: "struct<name: string, tags: list<item: string>, age: int64>",
    mixed: "string",
    exact: "string",
    big: "string",
    none: "string",
    free: "string",
    late: "list<item: struct<d: double>>",
  });
  const [first, second, third] = ran.rows();
  expect(first).toMatchObject({ mixed: "1", exact: "0.1", free: "{}" });
  expect(JSON.parse(first!["who"]!)).toEqual({ name: "Ann", tags: ["x", null], age: null });
  expect(second).toMatchObject({ id: "9007199254740993", mixed: '"one"', exact: "0.12345678901234567890", big: "1.5" });
  expect(third).toMatchObject({ mixed: '{"a": [1.1]}', big: "9007199254740993", late: '[{"d":1},{"d":2.5}]' });
});

test("broken lines are set aside with line and byte", async () => {
  const ran = await example.run(
    Buffer.concat([
      Buffer.from('{"a": 1}\n{"a": \n\n{"a": NaN}\n{"a": 1, "a": 2}\n{"a": "\\ud800"}\n{"a": 3} x\n'),
      Buffer.from('{"a": "\xe9"}\n', "latin1"),
      Buffer.from(`{"a": 1e999999999999999999999}\n${"[".repeat(300)}${"]".repeat(300)}\n{"a": 4}`),
    ]),
  );
  expect(ran.rows()).toEqual([{ a: "1" }, { a: "4" }]);
  expect(ran.aside).toEqual([
    "line 2, byte 9: Expecting value",
    "line 4, byte 17: NaN is no JSON",
    "line 5, byte 28: the key 'a' comes twice",
    "line 6, byte 45: a text has half of a surrogate pair",
    "line 7, byte 61: Extra data",
    "line 8, byte 72: there are bytes that are not utf-8-sig",
    "line 9, byte 83: a number's exponent is beyond all bounds",
    "line 10, byte 114: it is nested deeper than 200",
  ]);
  expect(ran.rejected()[5]).toMatchObject({ text: '{"a": "\\xe9"}' });
});

test("a broken record in an array: reading goes on after it", async () => {
  const ran = await example.run('[{"a": 1}, {"a": 2,}, {"a": [3 "b"], "c": "]}"}, {"a": 4} {"a": 5}, 6,\n {"a": 7}');
  expect(ran.rows()).toEqual([{ a: "1" }, { value: "6" }, { a: "7" }]);
  expect(ran.aside.map((words) => words.split(": ")[0])).toEqual([
    "line 1, byte 11",
    "line 1, byte 22",
    "line 1, byte 49",
    "line 2, byte 80",
  ]);
  expect(ran.rejected().map((row) => row["text"])).toEqual(
    ['{"a": 2,}', '{"a": [3 "b"], "c": "]}"}', '{"a": 4} {"a": 5}', undefined].map((text) => text ?? ""),
  );
  expect(ran.aside.at(-1)).toContain("the file ends within its array");
});

test("brackets that close nothing do not hold it up", async () => {
  const ran = await example.run('[{"a": 1}, }, {"a": 2}}]\n]} {"a": 3}');
  expect(ran.rows()).toContainEqual({ a: "1" });
  expect(ran.aside.length).toBeGreaterThan(0);
});

test("records beyond one reading: 40,000 in an array of 3 MB", async () => {
  const ran = await example.run(JSON.stringify(Array.from({ length: 40_000 }, (_, id) => ({ id, text: `ü${"x".repeat(id % 100)}` }))));
  expect(ran.counts).toEqual({ output: 40_000 });
  expect(ran.rows().at(-1)).toEqual({ id: "39999", text: `ü${"x".repeat(99)}` });
});

test("hostile files: set aside or refused in words", async () => {
  expect((await example.run("")).counts).toEqual({});
  expect((await example.run("[]")).counts).toEqual({});
  expect(await example.fail(Buffer.alloc(100_000, 0x9f))).toContain("no record of the file can be read; line 1, byte 0");
  expect(await example.fail("[".repeat(100_000))).toContain("no record of the file can be read");
  expect(await example.fail(`{${Array.from({ length: 501 }, (_, at) => `"k${at}": 1`).join()}}`)).toContain("more than 500 different keys");
  const cut = await example.run('[{"a": 1}, {"a": "tw');
  expect(cut.rows()).toEqual([{ a: "1" }]);
  expect(cut.aside).toEqual([
    "line 1, byte 11: Unterminated string starting at",
    "line 1, byte 20: the file ends within its array: it may have been cut off",
  ]);
  const long = await example.run(`{"a": "${"x".repeat(3_000_000)}"}\n{"a": "y"}\n${"z".repeat(1_000_000)}\n{"a": "w"}\n`);
  expect(long.rows().map((row) => row["a"]!.length)).toEqual([3_000_000, 1, 1]);
  expect(long.aside).toEqual(["line 3, byte 3000021: Expecting value"]);
});
