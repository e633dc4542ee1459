import { beforeAll, expect, test } from "vitest";
import { bytesOf, data, loadExample, type Example } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("excel");
});

test("a workbook of XlsxWriter: an output for each sheet, types by elimination, errors in cells set aside", async () => {
  const ran = await example.run(data("orders.xlsx"));
  expect(ran.counts).toEqual({ Orders_2024: 4, "_quarantine.Orders_2024": 1, "Orders-2024": 1 });
  expect(ran.types("Orders_2024")).toEqual({
    sheet_row: "int64",
    id: "int64",
    price: "double",
    ordered: "timestamp[us]",
    due: "date32[day]",
    paid: "bool",
    note: "string",
    at: "time64[us]",
    share: "double",
    column_9: "string",
    column_10: "string",
  });
  expect(ran.rows("Orders_2024")).toEqual([
    {
      sheet_row: "2",
      id: "1",
      price: "2.5",
      ordered: "2024-02-29T13:05:07.000000",
      due: "2024-03-01",
      paid: "true",
      note: "größer",
      at: "08:30:00.000000",
      share: "0.1",
    },
    {
      sheet_row: "3",
      id: "2",
      price: "3",
      ordered: "2024-02-29T00:00:00.000000",
      due: "2024-03-02",
      paid: "false",
      note: "5",
      at: "23:59:00.000000",
      share: "0.25",
    },
    { sheet_row: "4", id: "3" },
    { sheet_row: "7", id: "5", price: "10", column_10: "beyond the header" },
  ]);
  expect(ran.rejected("Orders_2024")).toEqual([
    {
      _cf_reason: "cell B6: the error #DIV/0!",
      _cf_column: "price",
      _cf_position: "sheet Orders 2024, row 6",
      text: "4\tthe error #DIV/0!",
    },
  ]);
  // A hidden sheet, with a name missing in its header and one that comes twice.
  expect(ran.rows("Orders-2024")).toEqual([{ sheet_row: "2", a: "x", column_2: "1", a_2: "2" }]);
});

test("formulas whose values were not saved, as openpyxl writes them, and dates that can't be", async () => {
  const formulas = await example.run(data("unsaved-formula.xlsx"));
  expect(formulas.rows("Calc")).toEqual([{ sheet_row: "3", a: "2", b: "3" }]);
  expect(formulas.aside).toEqual(["sheet Calc, row 2: cell B2: the value of the formula =A2*2 was not saved"]);
  const dates = await example.run(data("issue139.xlsx"));
  expect(dates.counts).toEqual({ bad_xlsx_dates: 0, "_quarantine.bad_xlsx_dates": 1 });
});

test("the older .xls, and only the sheets that are asked for", async () => {
  const ran = await example.run(data("any_sheets.xls"));
  expect(ran.counts).toEqual({ Visible: 3 });
  expect((await example.run(data("orders.xlsx"), { SHEETS: '["Orders-2024"]' })).counts).toEqual({ "Orders-2024": 1 });
});

test("hostile files: refused in words", async () => {
  expect(await example.fail("")).toBe("ValueError: the file is no workbook: it is empty");
  expect(await example.fail("id,name\n1,a\n")).toContain("the file is no workbook: it begins with b'id,name");
  expect(await example.fail(data("password.xlsx"))).toContain("damaged, encrypted or no .xls");
  expect(await example.fail(bytesOf("orders.xlsx").subarray(0, 3000))).toContain("the workbook can't be read: File is not a zip file");
  expect(await example.fail(bytesOf("any_sheets.xls").subarray(0, 5000))).toContain("the workbook can't be read");
  const garbage = Buffer.concat([bytesOf("any_sheets.xls").subarray(0, 512), Buffer.alloc(40_000, 0xa5)]);
  expect(await example.fail(garbage)).toContain("the workbook can't be read");
});
