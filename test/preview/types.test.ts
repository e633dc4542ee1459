import { expect, test } from "vitest";
import { notesOf, previewFolder, typesOf } from "./preview-text.ts";

const folder = previewFolder();
const table = (content: string) => folder.content("delimited", "table.csv", content);

test("a column has a type only if every value has it", async () => {
  const whole = Array.from({ length: 2_000 }, (_, n) => `${n},2026-01-${String((n % 28) + 1).padStart(2, "0")},${n}.5`);
  const head = "n,day,price";
  expect(typesOf(await table([head, ...whole].join("\n")))).toEqual(["n: int64", "day: date32[day]", "price: double"]);
  // The very last row speaks against all three.
  const spoilt = await table([head, ...whole, "x,2026-02-30,1..5"].join("\n"));
  expect(typesOf(spoilt)).toEqual(["n: string", "day: string", "price: string"]);
  expect(notesOf(spoilt)[0]).toBe('n: 2000 of 2001 values are numbers; the first that is not: "x" (line 2002)');
});

test("integers with leading zeros stay text, and that is said", async () => {
  const zip = await table("zip,n\n01234,1\n90210,-2\n");
  expect(typesOf(zip)).toEqual(["zip: string", "n: int64"]);
  expect(notesOf(zip)).toEqual(["zip: all values are digits, and some begin with zeros (01234), which a number would lose"]);
});

test("a comma before the fraction, and digits in groups, by what the whole file says", async () => {
  const german = await table("a;b;c\n1,5;1.234,50;1.000\n2,25;2,00;2.500\n");
  expect(typesOf(german)).toEqual(["a: double", "b: double", "c: int64"]);
  expect(notesOf(german).at(-1)).toMatch(/^c: 1\.000 is read as 1000, as this file .*; it may also be 1\.000$/);
  const english = await table('a,b\n1.5,"1,234"\n2.25,"5,678"\n');
  expect(typesOf(english)).toEqual(["a: double", "b: int64"]);
  expect(notesOf(english)).toEqual(["b: 1,234 is read as 1234; it may also be 1.234"]);
});

test("day or month first is told by the file where it can be, and said where it can't", async () => {
  const doubt = await table("d\n01/02/2026\n03/04/2026\n");
  expect(notesOf(doubt)).toEqual([
    "d: 01/02/2026 is read as month/day/year; no value tells it from day/month/year, so ask whoever made the file",
  ]);
  const sure = await table("d\n01/02/2026\n13/04/2026\n");
  expect(sure.columns[0]).toMatchObject({ type: { kind: "format", format: "%d/%m/%Y" }, notes: [] });
  const other = await table("d,e\n01/02/2026,13/04/2026\n");
  expect(other.columns[0]).toMatchObject({
    type: { format: "%d/%m/%Y" },
    notes: [expect.stringMatching(/as another column of this file must be/)],
  });
});

test("times, with and without zone, and their units", async () => {
  const times = await table(
    "a,b,c,d,e\n2026-01-02 03:04:05,2026-01-02T03:04:05.123Z,12:30:00,12/31/2026 5:06 PM,31.12.26\n2026-01-02T03:04,2026-01-02T03:04:05+02:00,23:59:59,01/02/2026 11:07 AM,01.02.26\n",
  );
  expect(typesOf(times)).toEqual(["a: timestamp[s]", "b: timestamp[ms, tz=UTC]", "c: time32[s]", "d: timestamp[s]", "e: date32[day]"]);
  // A zone in some of the values only is no type.
  expect(typesOf(await table("a\n2026-01-02T03:04:05Z\n2026-01-02T03:04:05\n"))).toEqual(["a: string"]);
});

test("missing values are counted with their spellings; in a column of text they may be values", async () => {
  const { columns } = await table("n,country,empty\n1,NA,\nN/A,DE,\n,US,\n-,FR,\n");
  expect(columns[0]).toMatchObject({ arrow: "int64", nulls: 3, nullSpellings: ["N/A", "", "-"] });
  expect(columns[1]).toMatchObject({ arrow: "string", nulls: 0, notes: [expect.stringMatching(/"NA" may mean that there is no value/)] });
  expect(columns[2]).toMatchObject({ type: { kind: "empty" }, nulls: 4 });
});

test("numbers that a double can't hold become decimals, what programs print of doubles does not", async () => {
  const numbers = await table("a,b,c,d\n12345678901234567890.12,10.357019999999999,9223372036854775807,9223372036854775808\n");
  expect(typesOf(numbers)).toEqual(["a: decimal128(22, 2)", "b: double", "c: int64", "d: decimal128(19, 0)"]);
});

test("yes and no are booleans, one letter alone is not", async () => {
  const flags = await table("a,b,c\ntrue,Y,N\nFalse,n,N\n");
  expect(typesOf(flags)).toEqual(["a: bool", "b: bool", "c: string"]);
});
