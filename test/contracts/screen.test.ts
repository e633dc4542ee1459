import { expect, test } from "vitest";
import { createBatchReader, type Column } from "../../arrow/column.ts";
import { writeSchema } from "../../arrow/schema.ts";
import { textReader } from "../../arrow/text.ts";
import { writeBatch } from "../../arrow/write-batch.ts";
import { createScreen } from "../../contracts/screen.ts";
import type { ArrowMessage } from "../../domain/arrow.ts";
import type { Contract, ContractColumn } from "../../domain/contract.ts";
import { longColumn, textColumn } from "./column.ts";

const named = (column: Column, name: string): Column => ({ ...column, field: { ...column.field, name } });
const columns = [named(longColumn([1n, 2n, null, 4n], "int64"), "n"), named(textColumn(["1.50", "x", "3", null]), "t")];
const schema: ArrowMessage = { kind: "schema", rows: 0, bytes: writeSchema({ fields: columns.map(({ field }) => field), metadata: [] }) };
const batch = writeBatch(4, columns);

function screenFor(expected: readonly ContractColumn[], policy: Contract["policy"] = "quarantine") {
  return createScreen({ contract: { columns: expected, policy, rowsMax: null, shareMax: null }, output: "o", schema });
}
const column = (name: string, type: string, rest: Partial<ContractColumn> = {}): ContractColumn => ({
  name,
  type,
  nullable: true,
  ...rest,
});

test("a batch that needs nothing done goes on as it came", () => {
  expect(screenFor([column("n", "int64"), column("t", "string")]).take(batch).message).toBe(batch);
  const checked = screenFor([column("n", "int64", { checks: { min: "0" } }), column("t", "string")]);
  expect(checked.take(batch)).toEqual({ message: batch, rejected: [], kept: null });
  expect(checked.take(batch).message).toBe(batch);
});

test("columns come in the contract's order and types; what is missing is null, and a value in an unknown column sets its row aside", () => {
  const screen = screenFor([column("t", "decimal128(5, 2)"), column("later", "date32")]);
  const { message, rejected } = screen.take(batch);
  expect(
    rejected.map(({ rowNumber, reasons, raw }) => [rowNumber, reasons.map((each) => each.column), JSON.parse(raw) as unknown]),
  ).toEqual([
    [1, ["n"], { n: 1, t: "1.50" }],
    [2, ["t", "n"], { n: 2, t: "x" }],
    [4, ["n"], { n: 4, t: null }],
  ]);
  const read = createBatchReader(screen.schema).read(message!)!;
  expect(read.columns.map((each) => [each.field.name, textReader(each)(0)])).toEqual([
    ["t", "3.00"],
    ["later", null],
  ]);
  // Rows are counted on from batch to batch.
  expect(screen.take(batch).rejected.map(({ rowNumber }) => rowNumber)).toEqual([5, 6, 8]);
});

test("a column that is missing and may not be null sets all rows aside, and nothing is left to write", () => {
  const screen = screenFor([column("n", "int64"), column("t", "string"), column("must", "int64", { nullable: false })]);
  const { message, rejected } = screen.take(batch);
  expect([message, rejected.length]).toEqual([null, 4]);
});

test("types that have nothing in common are a difference that no policy takes", () => {
  expect(() => screenFor([column("n", "bool"), column("t", "string")])).toThrow(
    /narrowed n: int64 → |narrowed n: bool → int64.*no value of column n/,
  );
});

test("whatever byte of a batch is wrong, it is refused, or read within its bounds", () => {
  const expected = [
    column("n", "int32", { checks: { unique: true, min: "0" } }),
    column("t", "decimal128(5, 2)", { checks: { oneOf: ["1.50"] } }),
  ];
  let refused = 0;
  for (let at = 8; at < batch.bytes.length; at += 1) {
    const bytes = new Uint8Array(batch.bytes);
    bytes[at]! ^= 0x7f;
    try {
      screenFor(expected).take({ ...batch, bytes });
    } catch (error) {
      expect(error).toMatchObject({ code: "SINK_SCHEMA" });
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(20);
});
