import { beforeAll, expect, test } from "vitest";
import { bytesOf, data, loadExample, type Example } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("fixed_width");
});

/** An ACH file by the layout of the NACHA Operating Rules, Appendix Three. */
const ach = [
  "101 091000019 1234567892402291530A094101FIRST BANK             ACME CORP              REF00001",
  "5225ACME CORP       PAYROLL FEB         1234567890PPDSALARY    240229240229   1091000010000001",
  "62209100001912345678         0000123456EMP0001        ÅSA EXAMPLE             0091000010000001",
  "6220910000198765             0000000001EMP0002        JOHN EXAMPLE            1091000010000002",
  `705${"BONUS FOR FEBRUARY".padEnd(80)}00010000002`,
  "82250000030018200003000000000000000000123457 1234567890                         091000010000001",
  `9000001000001000000030018200003000000000000000000123457${"".padEnd(39)}`,
  "9".repeat(94),
  "9".repeat(94),
];

test("an ACH file: an output for each kind of record, amounts with an implied point", async () => {
  const ran = await example.run(`${ach.map((line, at) => (at === 5 ? line.replace("123457 ", "123457") : line)).join("\r\n")}\r\n`);
  expect(ran.aside).toEqual([]);
  expect(ran.counts).toEqual({ ach_entries: 2, ach_addenda: 1, ach_batches: 1, ach_batch_totals: 1, ach_files: 1, ach_file_totals: 1 });
  expect(ran.types("ach_entries")).toMatchObject({
    line: "int64",
    amount: "decimal128(38, 2)",
    individual_name: "string",
    addenda_indicator: "int64",
  });
  expect(ran.rows("ach_entries")[0]).toEqual({
    line: "3",
    transaction_code: "22",
    receiving_bank: "091000019",
    account_number: "12345678",
    amount: "1234.56",
    individual_id: "EMP0001",
    individual_name: "ÅSA EXAMPLE",
    addenda_indicator: "0",
    trace_number: "091000010000001",
  });
  expect(ran.rows("ach_batches")[0]).toMatchObject({ effective_date: "2024-02-29", entry_class: "PPD", batch_number: "1" });
  expect(ran.rows("ach_files")[0]).toMatchObject({ created_date: "2024-02-29", created_time: "15:30:00", destination_name: "FIRST BANK" });
  expect(ran.rows("ach_file_totals")[0]).toMatchObject({ entries: "3", credits: "1234.57", debits: "0.00" });
});

test("records without line ends, and what does not fit the layout", async () => {
  const one = ach[4]!;
  const ran = await example.run(
    `${one}${one}\n${one} \n${one}x\n${ach[3]!.replace("0000000001", "00000O0001")}\n4what\n${ach[1]!.replace("240229240229", "240229 24229")}\n`,
  );
  expect(ran.rows("ach_addenda")).toHaveLength(3);
  expect(ran.rejected("ach_addenda")).toMatchObject([
    { _cf_reason: "the line has 95 characters, the layout 94", _cf_position: "line 3, byte 285" },
  ]);
  expect(ran.rejected("ach_entries")).toMatchObject([
    { _cf_reason: "'00000O0001' in columns 30 to 39 is not implied:2", _cf_column: "amount" },
    { _cf_reason: "the line begins with '4', and no kind of record does", _cf_position: "line 5, byte 476" },
  ]);
  expect(ran.rejected("ach_batches")).toMatchObject([{ _cf_column: "effective_date" }]);
});

test("another layout: the World Magnetic Model's coefficients (NOAA), a title before them", async () => {
  const fields = [
    ["degree", 1, 3, "int"],
    ["sequence", 4, 3, "int"],
    ["g", 7, 10, "decimal:1"],
    ["h", 17, 10, "decimal:1"],
    ["g_change", 27, 11, "decimal:1"],
    ["h_change", 38, 11, "decimal:1"],
  ];
  const layout = `{"    2025": Record("title", [Field("epoch", 1, 10, "decimal:1"), Field("model", 23, 10), Field("date", 36, 10, "date:%m/%d/%Y")]), " ": Record("model", [${fields.map(([name, ...rest]) => `Field("${name}", ${JSON.stringify(rest).slice(1, -1)})`).join(", ")}])}`;
  const settings = { RECORDS: layout, RECORD_LENGTH: "None", FILLER: 're.compile("9{48}")' };
  const ran = await example.run(data("WMM_2025.COF"), settings);
  expect(ran.aside).toEqual([]);
  expect(ran.rows("title")).toEqual([{ line: "1", epoch: "2025.0", model: "WMM-2025", date: "2024-11-13" }]);
  expect(ran.rows("model")).toHaveLength(
    bytesOf("WMM_2025.COF")
      .toString()
      .split("\n")
      .filter((line) => line.trim() !== "" && !line.startsWith("9999")).length - 1,
  );
  expect(ran.rows("model")[1]).toEqual({
    line: "3",
    degree: "1",
    sequence: "1",
    g: "-1410.8",
    h: "4545.4",
    g_change: "9.7",
    h_change: "-21.5",
  });
});

test("hostile files: everything is a row or set aside", async () => {
  expect(Object.values((await example.run("")).counts)).toEqual([0, 0, 0, 0, 0, 0]);
  const cut = await example.run(`${ach[2]}\n${ach[3]!.slice(0, 33)}`);
  expect(cut.counts).toMatchObject({ ach_entries: 2 });
  expect((await example.run(`${ach[2]}\n${ach[3]!.slice(0, 33)}`, { SHORT_LINES: "False" })).aside).toEqual([
    "line 2, byte 96: the line has 33 characters, the layout 94",
  ]);
  const long = await example.run(
    Buffer.concat([
      Buffer.from(`${"6".repeat(1_500_000)}\n`),
      Buffer.from("6\xe4\n", "latin1"),
      Buffer.alloc(1000, 0xff),
      Buffer.from(`\n${ach[3]}`),
    ]),
  );
  expect(long.counts).toMatchObject({ ach_entries: 1, "_quarantine.ach_entries": 3 });
});
