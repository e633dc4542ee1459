import fc from "fast-check";
import { expect, test } from "vitest";
import type { Column } from "../../arrow/column.ts";
import { decimalText, textReader } from "../../arrow/text.ts";
import { castOf } from "../../contracts/cast.ts";
import { parseType, plainField } from "../../contracts/type-name.ts";
import { longColumn, textColumn } from "./column.ts";

/** The values after the cast as texts, and the reasons of those that were refused by row. */
function cast(column: Column, to: string) {
  const refused: Record<number, string> = {};
  const made = castOf(column.field, plainField("c", parseType(to)!, true))!(column, (row, reason) => (refused[row] = reason));
  const text = textReader(made);
  return { made, values: Array.from({ length: made.length }, (_, row) => text(row)), refused };
}

test("a decimal keeps all its digits on the way from a text, to other decimals and back", () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n })), fc.nat({ max: 38 }), (unscaled, scale) => {
      const texts = unscaled.map((value) => decimalText(value, scale));
      const { made, values, refused } = cast(textColumn(texts), `decimal128(38, ${scale})`);
      expect([values, refused]).toEqual([texts, {}]);
      expect(cast(cast(made, `decimal256(76, ${scale})`).made, "string").values).toEqual(texts);
    }),
  );
});

test("integers become every other integer and decimal exactly, or are refused", () => {
  const bounds: Readonly<Record<string, readonly [bigint, bigint]>> = {
    int8: [-128n, 127n],
    uint8: [0n, 255n],
    int16: [-32768n, 32767n],
    int32: [-(2n ** 31n), 2n ** 31n - 1n],
    uint64: [0n, 2n ** 64n - 1n],
    "decimal128(10, 2)": [-99_999_999n, 99_999_999n],
  };
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -300n, max: 300n }))),
      (given) => {
        for (const [type, [least, most]] of Object.entries(bounds)) {
          const { values, refused } = cast(longColumn(given, "int64"), type);
          const end = type.startsWith("decimal") ? ".00" : "";
          expect(values).toEqual(given.map((value) => (value < least || value > most ? null : `${value}${end}`)));
          expect(Object.keys(refused)).toHaveLength(given.filter((value) => value < least || value > most).length);
        }
        const { values, refused } = cast(longColumn(given, "int64"), "double");
        expect(values).toEqual(given.map((value) => (BigInt(Number(value)) === value ? String(Number(value)) : null)));
        expect(Object.keys(refused)).toHaveLength(values.filter((value) => value === null).length);
      },
    ),
  );
});

test("times, dates, timestamps and numbers are the same again after they were texts", () => {
  const days = fc.bigInt({ min: -700_000n, max: 2_900_000n });
  const perDay: Readonly<Record<string, bigint>> = { s: 86_400n, ms: 86_400_000n, us: 86_400_000_000n, ns: 86_400_000_000_000n };
  fc.assert(
    fc.property(fc.array(fc.tuple(days, fc.bigInt({ min: 0n, max: 86_399n }))), (given) => {
      for (const [unit, day] of Object.entries(perDay)) {
        const range = unit === "ns" ? 10n : 1n;
        const counts = given.map(([each, second]) => (each / range / (unit === "ns" ? 10n : 1n)) * day + second * (day / 86_400n) + 7n);
        for (const type of [`timestamp[${unit}]`, `timestamp[${unit}, tz=Europe/Berlin]`]) {
          const column = longColumn(counts, type);
          const texts = cast(column, "string");
          const again = cast(texts.made, type);
          expect([again.values, again.refused]).toEqual([texts.values, {}]);
          expect(again.made.buffers[0]).toEqual(column.buffers[0]);
        }
      }
      const dates = cast(textColumn(given.map(([each]) => textReader(longColumn([each * 86_400_000n], "date64"))(0)!)), "date32");
      expect(dates.refused).toEqual({});
    }),
    { numRuns: 30 },
  );
});

test("what does not fit is null, and its reason names the value", () => {
  const texts = ["12.50", " 1", "1e3", "", "1.005", "99999999999", "-.5", null, "１"];
  expect(cast(textColumn(texts), "decimal(10, 2)")).toMatchObject({
    values: ["12.50", null, null, null, null, null, "-0.50", null, null],
    refused: {
      1: '" 1" is not a value of type decimal128(10, 2)',
      2: '"1e3" is not a value of type decimal128(10, 2)',
      3: '"" is not a value of type decimal128(10, 2)',
      4: '"1.005" has more than 2 decimals',
      5: '"99999999999" is too large for decimal128(10, 2)',
      8: '"１" is not a value of type decimal128(10, 2)',
    },
  });
  expect(cast(textColumn(["2024-02-30", "2024-02-29", "2024-02-29T00:00:00", "2024-02-29T00:00:01"]), "date32").values).toEqual([
    null,
    "2024-02-29",
    "2024-02-29",
    null,
  ]);
  const stamps = ["2024-01-01 10:00", "2024-01-01T10:00:00+01:00", "2024-01-01T10:00:00.1234567Z", "2024-01-01T25:00Z"];
  expect(cast(textColumn(stamps), "timestamp[us, tz=UTC]")).toMatchObject({
    values: [null, "2024-01-01T09:00:00.000000Z", null, null],
    refused: { 0: '"2024-01-01 10:00" has no zone or offset', 2: expect.stringContaining("more exact") as string },
  });
  expect(cast(textColumn(["true", "True", "0"]), "bool").values).toEqual(["true", null, null]);
  expect(cast(textColumn(["1.5", "NaN", "-Infinity", "1e999", "0x1"]), "double").values).toEqual(["1.5", "NaN", "-Infinity", null, null]);
});

test("texts of any encoding become each other, and nothing becomes a decimal by way of a double", () => {
  const texts = ["", "é€𝄞", null, "more than twelve bytes of text"];
  for (const type of ["large_string", "string_view", "string"]) {
    const { made, values } = cast(textColumn(texts), type);
    expect(values).toEqual(texts);
    expect(cast(made, "string").values).toEqual(texts);
  }
  const field = (type: string) => plainField("c", parseType(type)!, true);
  for (const [from, to] of [
    ["double", "decimal128(10, 2)"],
    ["binary", "string"],
    ["timestamp[us]", "timestamp[us, tz=UTC]"],
    ["bool", "int8"],
    ["date32", "int32"],
  ] as const)
    expect([from, to, castOf(field(from), field(to))]).toEqual([from, to, null]);
});
