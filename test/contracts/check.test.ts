import fc from "fast-check";
import { expect, test } from "vitest";
import type { Column } from "../../arrow/column.ts";
import { decimalText } from "../../arrow/text.ts";
import { patternAutomaton, setAutomaton, type Automaton } from "../../contracts/automaton.ts";
import { castOf } from "../../contracts/cast.ts";
import { checksOf } from "../../contracts/check.ts";
import { parseType, plainField } from "../../contracts/type-name.ts";
import type { ColumnChecks } from "../../domain/contract.ts";
import { longColumn, textColumn } from "./column.ts";

function refusedBy(column: Column, checks: ColumnChecks): readonly number[] {
  const rows: number[] = [];
  for (const check of checksOf(column.field, true, checks)) check(column, (row) => rows.push(row));
  return rows;
}

const isAscii = (text: string): boolean => Buffer.from(text).length === text.length;

function run({ next, accepts }: Automaton, text: string): boolean {
  let state = 1;
  for (const byte of Buffer.from(text)) state = next[256 * state + byte]!;
  return accepts[state] === 1;
}

const patterns = ["[A-Z]{3}-[0-9]+", "a|bc|", "(?:ab)*c?", "x{2,4}y", "(a+b)+|c*", "[^a-c]\\d\\w*", ".{3}", "\\.[\\]\\-]", "(a|b)*abb", "a{0,2}", "[-ab]+", "x{2,}", "()", "\\s*\\S"]; // prettier-ignore

test("an automaton accepts of ASCII texts what the regular expression accepts", () => {
  for (const pattern of patterns) {
    const automaton = patternAutomaton(pattern)!;
    const expression = new RegExp(`^(?:${pattern})$`, "u");
    const letters = fc.string({ unit: fc.constantFrom(..."abcxyABC-.]019 \n_"), maxLength: 8 });
    // An empty alternative is nothing that texts can be made from.
    const fitting = /\|$|\(\)/.test(pattern) ? letters : fc.stringMatching(new RegExp(`^(?:${pattern})$`));
    fc.assert(
      fc.property(fc.oneof(letters, fitting.filter(isAscii)), (text) => {
        expect([pattern, text, run(automaton, text)]).toEqual([pattern, text, expression.test(text)]);
      }),
    );
  }
  for (const pattern of ["(?=a)b", "(a)\\1", "a*?", "^a", "é", "\\bx", "[\\u{1F600}]", "\\p{L}"])
    expect([pattern, patternAutomaton(pattern)]).toEqual([pattern, null]);
  const set = setAutomaton(["", "BUY", "SELL", "SEL"])!;
  for (const text of ["", "BUY", "SELL", "SEL", "SE", "BUYS", "buy"]) expect(run(set, text)).toBe(/^(BUY|SELL?|)$/.test(text));
});

test("a pattern or a set refuses the same of texts with other characters, and passes nulls", () => {
  for (const last of ["", "é"]) {
    const column = textColumn(["AB1", "ab1", null, "AB1é", last]);
    expect(refusedBy(column, { pattern: "[A-Z]+\\d" })).toEqual([1, 3, 4]);
    expect(refusedBy(column, { oneOf: ["AB1", "", "é"] })).toEqual([1, 3]);
  }
});

test("bounds hold exactly for integers, decimals and timestamps of any size", () => {
  const numbers = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -3n, max: 3n }), fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n })); // prettier-ignore
  fc.assert(
    fc.property(fc.array(numbers, { maxLength: 20 }), numbers, numbers, (given, min, max) => {
      const outside = given.flatMap((value, row) => (value < min || value > max ? [row] : []));
      expect(refusedBy(longColumn(given, "int64"), { min: String(min), max: String(max) })).toEqual(outside);
      for (const width of [128, 256]) {
        const field = plainField("c", parseType(`decimal${width}(38, 2)`)!, true);
        const texts = textColumn(given.map((value) => decimalText(value, 2)));
        const column = castOf(texts.field, field)!(texts, () => expect.unreachable());
        expect(refusedBy(column, { min: decimalText(min, 2), max: decimalText(max, 2) })).toEqual(outside);
      }
    }),
  );
  const big = 10n ** 30n;
  const texts = textColumn([String(big), String(-big), "5"]);
  const column = castOf(texts.field, plainField("c", parseType("decimal128(38, 0)")!, true))!(texts, () => {});
  expect([refusedBy(column, { max: "5" }), refusedBy(column, { min: "5" })]).toEqual([[0], [1]]);
});

test("a value is unique once, whatever lies between", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.bigInt({ min: -50n, max: 50n }), { maxLength: 40 }), { maxLength: 4 }), (batches) => {
      for (const columnOf of [
        (v: bigint[]) => longColumn(v, "int64"),
        (v: bigint[]) => textColumn(v.map((n) => `${"x".repeat(Number(n & 15n))}${n}`)),
      ]) {
        const checks = checksOf(columnOf([]).field, true, { unique: true });
        const seen = new Set<bigint>();
        for (const values of batches) {
          const rows: number[] = [];
          for (const check of checks) check(columnOf(values), (row) => rows.push(row));
          expect(rows).toEqual(values.flatMap((value, row) => (seen.has(value) ? [row] : (seen.add(value), []))));
        }
      }
    }),
  );
  const many = Array.from({ length: 70_000 }, (_, n) => BigInt(n) * 4096n);
  expect(refusedBy(longColumn([...many, many[7]!], "int64"), { unique: true })).toEqual([70_000]);
});
