import { beforeAll, expect, test } from "vitest";
import { bytesOf, data, loadExample, type Example } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("hl7");
});

const header = (id: string, time = "20240229235959.1234+0100") => `MSH|^~\\&|APP|FAC|TO|THERE|${time}||ADT^A01^ADT_A01|${id}|P|2.5.1`;

test("a laboratory's report of HL7's normative edition: its message and every value", async () => {
  const ran = await example.run(data("lab.hl7"));
  expect(ran.counts).toEqual({ output: 1, hl7_fields: 68 });
  expect(ran.types()).toMatchObject({ message: "int64", message_time: "timestamp[us, tz=UTC]", segments: "int32" });
  expect(ran.types("hl7_fields")).toEqual({
    message: "int64",
    segment_number: "int32",
    segment: "string",
    field: "int32",
    repetition: "int32",
    component: "int32",
    subcomponent: "int32",
    value: "string",
  });
  expect(ran.rows()).toEqual([
    {
      message: "1",
      line: "1",
      byte: "0",
      sending_application: "GHH LAB",
      sending_facility: "ELAB-3",
      receiving_application: "GHH OE",
      receiving_facility: "BLDG4",
      message_time: "2002-02-15T09:30:00.000000Z",
      message_time_text: "200202150930",
      message_code: "ORU",
      trigger_event: "R01",
      control_id: "CNTRL-3456",
      processing_id: "P",
      version_id: "2.4",
      segments: "5",
    },
  ]);
  const name = { message: "1", segment_number: "2", segment: "PID", field: "5", repetition: "1", subcomponent: "1" };
  expect(ran.rows("hl7_fields")).toContainEqual({ ...name, component: "1", value: "EVERYWOMAN" });
  expect(ran.rows("hl7_fields")).toContainEqual({ ...name, component: "2", value: "EVE" });
});

test("a batch, framed as in MLLP or with other line ends", async () => {
  const text = bytesOf("batch.hl7").toString();
  for (const form of [
    text,
    text.replaceAll("\r", "\r\n"),
    text.replaceAll("\r", "\n"),
    text.replaceAll("MSH", "\u000bMSH").replaceAll("|2\rBTS", "|2\r\u001c\rBTS"),
  ]) {
    const ran = await example.run(form);
    expect(ran.rows().map((row) => [row["control_id"], row["segments"]])).toEqual([
      ["12334456778890", "6"],
      ["12334456778891", "6"],
    ]);
    expect(ran.aside).toEqual([]);
  }
  expect((await example.run(text.replace("BTS|2", "BTS|3"))).aside).toEqual(["line 14, byte 625: BTS says 3 messages, 2 were read"]);
});

test("repetitions, subcomponents, escape sequences, other separators and times with a zone", async () => {
  const ran = await example.run(
    `${header("1")}\rPID|1||A&B^C~D||X\\T\\Y\\F\\Z\\E\\\\X41C3A4\\\\H\\\\.br\\|""\rMSH#*~\\!#A#B#C#D#2024##ADT*A04#2#P#2.3\rPV1#a*b!c`,
  );
  const [first, second] = ran.rows();
  expect(first).toMatchObject({ message_time: "2024-02-29T22:59:59.123400Z", message_structure: "ADT_A01" });
  expect(second).toMatchObject({ message_time: "2024-01-01T00:00:00.000000Z", sending_application: "A", trigger_event: "A04" });
  const values = ran.rows("hl7_fields").filter((row) => ["PID", "PV1"].includes(row["segment"]!));
  expect(values.map((row) => [row["field"], row["repetition"], row["component"], row["subcomponent"], row["value"]].join(" "))).toEqual([
    "1 1 1 1 1",
    "3 1 1 1 A",
    "3 1 1 2 B",
    "3 1 2 1 C",
    "3 2 1 1 D",
    "5 1 1 1 X&Y|Z\\Aä\\H\\\n",
    '6 1 1 1 ""',
    "1 1 1 1 a",
    "1 1 2 1 b",
    "1 1 2 2 c",
  ]);
});

test("messages that fail are set aside as a whole, with line, byte and reason", async () => {
  const lines = [
    "PID|lost",
    header("1"),
    "PID|1",
    header("2"),
    "pid|1",
    header("3", "20241301"),
    header(""),
    "MSH|",
    header("6"),
    "ZZ1|own",
  ];
  const ran = await example.run(lines.join("\r"));
  expect(ran.rows().map((row) => [row["message"], row["control_id"]])).toEqual([
    ["1", "1"],
    ["2", "6"],
  ]);
  expect(ran.aside).toEqual([
    "line 1, byte 0: the text is in no message: no MSH segment stands before it",
    expect.stringMatching(/^line 4, byte \d+: segment 2, in line 5, does not begin with a segment's name: 'pid\|1'$/) as string,
    expect.stringMatching(/^line 6, byte \d+: month must be in 1..12$/) as string,
    expect.stringMatching(/^line 7, byte \d+: MSH has no control_id$/) as string,
    expect.stringMatching(/^line 8, byte \d+: MSH does not name its separators/) as string,
  ]);
  expect(ran.rejected()[1]!["text"]).toBe(`${header("2")}\npid|1`);
});

test("hostile files: everything is a row or set aside", async () => {
  expect((await example.run("")).counts).toEqual({ output: 0, hl7_fields: 0 });
  const cut = await example.run(bytesOf("lab.hl7").subarray(0, 60));
  expect(cut.aside).toEqual([expect.stringContaining("MSH has no") as string]);
  const long = await example.run(`${header("1")}\rOBX|1|ED|${"x".repeat(2_000_000)}\r${header("2")}`);
  expect(long.rows()).toHaveLength(2);
  const small = await example.run(`${header("1")}\rOBX|1|ED|${"x".repeat(2_500_000)}\r${header("2")}`, { SEGMENT_BYTES_MAX: "1 << 20" });
  expect(small.rows().map((row) => row["control_id"])).toEqual(["2"]);
  expect(small.aside).toEqual(["line 1, byte 0: a segment is longer than 1048576 bytes"]);
  const latin = await example.run(Buffer.from(`${header("1")}\rPID|||Jos\xe9\r${header("2")}`, "latin1"));
  expect(latin.rejected()).toMatchObject([{ _cf_position: "line 1, byte 0" }]);
  expect(latin.counts).toMatchObject({ output: 1, _quarantine: 1 });
  expect((await example.run(Buffer.alloc(50_000, 0xf0))).counts).toEqual({ output: 0, hl7_fields: 0, _quarantine: 1 });
});
