import { expect, test } from "vitest";
import { createBatchReader, type Column } from "../../arrow/column.ts";
import { createRowKeeper } from "../../arrow/keep-rows.ts";
import { writeSchema } from "../../arrow/schema.ts";
import { textReader } from "../../arrow/text.ts";
import { createReplay, type KeptRow } from "../../contracts/replay.ts";
import type { Contract, ContractColumn, RejectionReason } from "../../domain/contract.ts";
import { longColumn, textColumn } from "./column.ts";

const named = (column: Column, name: string): Column => ({ ...column, field: { ...column.field, name } });
const columns = [named(longColumn([1n, 2n, null, 4n], "int64"), "n"), named(textColumn(["a", "b", "c", "d"]), "t")];
const schema = writeSchema({ fields: columns.map(({ field }) => field), metadata: [] });
const piece = createRowKeeper(columns.map(({ field }) => field))(columns, Uint8Array.of(1, 1, 1, 1));

const contract = (n: Partial<ContractColumn>): Contract => ({
  columns: [
    { name: "n", type: "int64", nullable: true, ...n },
    { name: "t", type: "string", nullable: true },
  ],
  policy: "quarantine",
  rowsMax: 0,
  shareMax: 0,
});
const row = (position: number, ...reasons: readonly RejectionReason[]): KeptRow => ({ id: String(position), position, reasons });
const unique = contract({ checks: { unique: true } });

test("the rows that are asked for are taken out of a piece, and held against the contract with their own names", () => {
  const replay = createReplay({ contract: contract({ checks: { min: "2" } }), before: [], output: "o", schema });
  const first = replay.take(piece, [row(0), row(1), row(3)]);
  expect(first.rows).toEqual([
    { id: "0", reasons: [{ column: "n", reason: "1 is below 2" }] },
    { id: "1", reasons: null },
    { id: "3", reasons: null },
  ]);
  const batch = createBatchReader(replay.schema).read(first.messages[0]!)!;
  expect([0, 1].map(textReader(batch.columns[1]!))).toEqual(["b", "d"]);
  // The next piece counts on.
  expect(replay.take(piece, [row(2), row(0)].toReversed()).rows.map(({ reasons }) => reasons?.length)).toEqual([1, undefined]);
  expect(() => replay.take(piece, [row(9)])).toThrow(/no valid Arrow/);
});

test("which value a file has twice is known from when the whole file was there", () => {
  const repeated = { column: "n", reason: '"2" is there a second time', isRepeated: true };
  const taken = (before: readonly Contract[]) =>
    createReplay({ contract: unique, before, output: "o", schema })
      .take(piece, [row(0, { column: "t", reason: "x" }), row(1, repeated), row(2), row(3, { column: "n", reason: "4 is above 3" })])
      .rows.map(({ reasons }) => reasons?.[0]?.reason ?? null);
  expect(taken([unique])).toEqual([null, '"2" is there a second time', null, null]);
  // Not where it was not compared, or not in all that was written since, or as another type.
  const untold = expect.stringContaining("only the whole file tells") as string;
  for (const before of [[], [contract({})], [unique, contract({})], [contract({ type: "string", checks: { unique: true } })]])
    expect(taken(before)).toEqual([untold, untold, null, untold]);
});
