import { expect, test } from "vitest";
import type { Column } from "../../arrow/column.ts";
import { createDistinct } from "../../contracts/distinct.ts";
import { parseType, plainField } from "../../contracts/type-name.ts";

/** Days that lie 32 apart from the given one on: none shares an entry with another. */
function days(first: number, length: number): Column {
  const values = Int32Array.from({ length }, (_, row) => 32 * (first + row));
  const field = plainField("day", parseType("date32")!, true);
  return { field, length, validity: null, buffers: [new Uint8Array(values.buffer)], children: [], dictionary: null };
}

test("as many values as memory has room for are told apart; one more ends the job with the column's name and what to do", () => {
  const distinct = createDistinct("day");
  const repeated: number[] = [];
  const add = (first: number, length: number): void => distinct.add(days(first, length), (row) => repeated.push(row));
  const step = 2 ** 20;
  for (let first = 0; first < 2 ** 24; first += step) add(first, step);
  expect(repeated).toEqual([]);
  // All of them are still known.
  add(0, 3);
  add(2 ** 24 - 3, 3);
  expect(repeated).toEqual([0, 1, 2, 0, 1, 2]);
  expect(() => add(2 ** 24, 1)).toThrow(
    expect.objectContaining({
      code: "CONTRACT_UNIQUE_LIMIT",
      message: expect.stringContaining("column day") as string,
      hint: expect.stringContaining("--column day --no-unique") as string,
    }),
  );
});
