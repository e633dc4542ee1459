import { beforeAll, expect, test } from "vitest";
import { bytesOf, data, loadExample, type Example } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("x12");
});

const text = bytesOf("eligibility.270").toString();
const segments = text.split("\n");
const transaction = segments.slice(2, -2).join("\n");

test("an inquiry (270): the transaction with its envelopes, and all of its segments", async () => {
  const ran = await example.run(data("eligibility.270"));
  expect(ran.counts).toEqual({ output: 1, x12_segments: 17 });
  expect(ran.types()).toMatchObject({ transaction: "int64", byte: "int64", interchange_time: "timestamp[us]", segments: "int32" });
  expect(ran.types("x12_segments")).toEqual({
    transaction: "int64",
    segment_number: "int32",
    segment: "string",
    elements: "list<item: string>",
  });
  expect(ran.rows()).toEqual([
    {
      transaction: "1",
      byte: String(text.indexOf("ST*")),
      interchange_sender: "30:000000005",
      interchange_receiver: "30:12345",
      interchange_time: "2013-10-31T11:47:00.000000",
      interchange_control: "000000907",
      usage: "T",
      group_code: "HS",
      group_sender: "000000005",
      group_receiver: "54321",
      group_control: "1",
      version: "005010X279A1",
      transaction_code: "270",
      transaction_control: "0001",
      segments: "17",
      repetition_separator: "^",
      component_separator: ":",
    },
  ]);
  expect(ran.rows("x12_segments")[2]).toEqual({ transaction: "1", segment_number: "3", segment: "HL", elements: '["1",null,"20","1"]' });
});

test("without line ends, and with other separators", async () => {
  const expected = (await example.run(text)).rows("x12_segments");
  for (const form of [
    text.replaceAll("\n", ""),
    text.replaceAll("\n", "\r\n"),
    `${text.slice(0, -1).replaceAll("~\n", "\n")}\n`,
    text.replaceAll("*", "|").replaceAll("~", "'"),
  ]) {
    const ran = await example.run(form);
    expect(ran.rows("x12_segments")).toEqual(expected);
    expect(ran.aside).toEqual([]);
  }
});

test("transactions and trailers that count otherwise than was read are set aside, with byte and reason", async () => {
  const body = [
    segments[0],
    segments[1],
    transaction,
    transaction.replace("SE*17*0001", "SE*18*0001"),
    transaction.replace("SE*17*0001", "SE*17*0002"),
    transaction.replace("SE*17*0001~", "DTP*x~"),
    transaction,
    "GE*4*1~",
    "REF*lost~",
    transaction,
    "IEA*2*000000908~",
  ];
  const ran = await example.run(body.join("\n"));
  expect(ran.rows().map((row) => row["transaction"])).toEqual(["1", "2"]);
  const at = (piece: number) => Buffer.byteLength(body.slice(0, piece).join("\n")) + 1;
  expect(ran.aside).toEqual([
    `byte ${at(3)}: SE counts 18 segments, 17 were read`,
    `byte ${at(4)}: SE has control number 0002, ST has 0001`,
    `byte ${at(5)}: ST comes before its SE`,
    `byte ${at(7)}: GE counts 4 transactions, 5 were read`,
    `byte ${at(8)}: segment REF is in no transaction`,
    `byte ${at(9)}: the transaction is in no group of an interchange`,
    `byte ${at(10)}: IEA counts 2 groups, 1 were read`,
  ]);
  expect(ran.rejected()[0]!["text"]).toContain("BHT*0022*13*10001234*20131031*1147");
});

test("two interchanges, the second without its end", async () => {
  const ran = await example.run(`${text}\n${segments.slice(0, 8).join("\n")}`);
  expect(ran.rows()).toHaveLength(1);
  const second = text.length + 1;
  expect(ran.aside).toEqual([
    `byte ${second + text.indexOf("ST*")}: the file ends before its SE`,
    `byte ${second + text.indexOf("GS*")}: the file ends before the GE of this GS`,
  ]);
});

test("hostile files: everything is a row or set aside", async () => {
  expect((await example.run("")).counts).toEqual({ output: 0, x12_segments: 0 });
  expect((await example.run("id,name\n1,a\n")).aside).toEqual(["byte 0: the text is in no interchange: no ISA segment stands before it"]);
  expect((await example.run(Buffer.alloc(3_000_000, 0xfe))).counts).toEqual({ output: 0, x12_segments: 0, _quarantine: 3 });
  const long = await example.run(text.replace("PAYER C", "x".repeat(2_000_000)));
  expect(long.counts["output"]).toBe(0);
  expect(long.aside[0]).toContain("the segment is not ended, or longer than is taken");
  const latin = await example.run(Buffer.from(text.replace("PAYER C", "PAY\xc9R"), "latin1"));
  expect(latin.aside).toEqual([expect.stringMatching(/^byte \d+: 'utf-8' codec can't decode byte 0xc9/) as string]);
  const isaOnly = await example.run(text.slice(0, 60));
  expect(isaOnly.counts["_quarantine"]).toBe(1);
});
