import { beforeAll, expect, test } from "vitest";
import { bytesOf, data, loadExample, type Example, type Ran } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("fix_log");
});

const session = bytesOf("session.fix");
/** A message whose BodyLength and CheckSum are computed here. */
function message(fields: string): string {
  const body = `${fields}|`.replaceAll("|", "\u0001");
  const head = `8=FIX.4.4\u00019=${Buffer.byteLength(body)}\u0001`;
  const sum = Buffer.from(head + body).reduce((total, byte) => total + byte, 0) % 256;
  return `${head}${body}10=${String(sum).padStart(3, "0")}\u0001`;
}
const order = (more: string) => message(`35=D|34=7|49=A|56=B|52=20240229-23:59:59.123|${more}`);
const withoutPlaces = (ran: Ran) => ran.rows().map(({ byte: _byte, line: _line, log_prefix: _prefix, log_suffix: _suffix, ...row }) => row);

test("a session of QuickFIX's acceptance tests: 16 messages hold, two with tags that can't be are set aside", async () => {
  const ran = await example.run(data("session.fix"));
  expect(ran.counts).toEqual({ output: 16, _quarantine: 2 });
  expect(ran.aside[0]).toBe("line 15, byte 1814: b'0=HI' is not tag=value, at byte 64 of the message");
  expect(ran.rows()[0]).toMatchObject({
    line: "1",
    byte: "0",
    begin_string: "FIX.4.4",
    body_length: "61",
    msg_type: "A",
    sending_time: "2024-01-02T03:04:05.678000Z",
  });
});

test("prices and times are exact, data may hold separators and line ends, and no field is lost", async () => {
  const ran = await example.run(data("session.fix"));
  expect(ran.types()).toMatchObject({
    msg_seq_num: "int64",
    price: "decimal128(38, 18)",
    sending_time: "timestamp[us, tz=UTC]",
    fields: "list<item: struct<tag: int32, value: string>>",
  });
  const fill = ran.rows().at(-1)!;
  expect(fill).toMatchObject({
    line: "18",
    exec_type: "F",
    symbol: "BTC/USD",
    order_qty: "0.000000010000000000",
    price: "43210.123456789012345678",
    last_px: "-1.500000000000000000",
    sending_time: "2024-01-02T03:04:05.678901Z",
    transact_time: "2024-01-02T03:04:05.000000Z",
    text: "größer",
  });
  expect(JSON.parse(fill["fields"]!)).toContainEqual({ tag: 96, value: "a\u0001b=\n" });
});

test("the same messages with bars within a log's lines, with ^A, and without line ends", async () => {
  const expected = withoutPlaces(await example.run(session.subarray(0, 2000)));
  const text = session.subarray(0, 2000).toString("latin1");
  const bars = text.replaceAll("\u0001", "|").replaceAll(/^8=/gm, "2024-01-02 03:04:05.1 <- [FIX] 8=").replaceAll("|\n", "| (sent)\r\n");
  for (const form of [bars, text.replaceAll("\u0001", "^A"), text.replaceAll("\n", "")]) {
    const ran = await example.run(Buffer.from(form, "latin1"));
    expect(withoutPlaces(ran)).toEqual(expected);
  }
  expect((await example.run(bars)).rows()[0]).toMatchObject({
    byte: "31",
    log_prefix: "2024-01-02 03:04:05.1 <- [FIX]",
    log_suffix: "(sent)",
  });
});

test("a message that fails is set aside with its place, reason and text; those around it are read", async () => {
  const good = order("11=X|55=Y|44=1.5");
  const lines = [
    good,
    good.replace("44=1.5", "44=1.6"),
    good.replace("44=1.5", "44=1.55"),
    good.slice(0, -8),
    "connection lost",
    message("35=D|34=7|49=A|56=B"),
    order("44=1e5"),
    order("44=0.1234567890123456789"),
    order("60=20240229-23:59:59.1234567"),
    order("58=a|=b"),
    good,
  ];
  const ran = await example.run(lines.join("\n"));
  expect(ran.rows().map(({ line }) => line)).toEqual(["1", "11"]);
  expect(ran.aside.map((words) => words.replace(/, byte \d+/, ""))).toEqual([
    expect.stringMatching(/^line 2: CheckSum \(10\) is \d{3}, \d{3} was computed$/) as string,
    expect.stringMatching(/^line 3: BodyLength \(9\) is \d+, \d+ bytes were counted$/) as string,
    "line 4: the message is cut off: it does not end with tag 10",
    "line 5: there is no FIX message in this text",
    "line 6: tag 52 is missing",
    "line 7: '1e5' is not a number that the column can hold",
    "line 8: '0.1234567890123456789' is not a number that the column can hold",
    "line 9: the time has more than 6 digits after the second",
    expect.stringMatching(/^line 10: b'=b' is not tag=value, at byte \d+ of the message$/) as string,
  ]);
  expect(ran.rejected()[5]).toMatchObject({ _cf_column: "price" });
  expect(ran.rejected()[2]!["text"]).toBe(good.slice(0, -8));
  const byte = Buffer.byteLength(`${lines[0]}\n${lines[1]}\n`);
  expect(ran.rejected()[1]!["_cf_position"]).toBe(`line 3, byte ${byte}`);
});

test("nanoseconds where they are asked for", async () => {
  const ran = await example.run(order("60=20240229-23:59:59.123456789"), { TIME_UNIT: '"ns"' });
  expect(ran.rows()[0]).toMatchObject({ transact_time: "2024-02-29T23:59:59.123456789Z" });
});

test("hostile files: everything is a row or set aside", async () => {
  expect((await example.run("")).counts).toEqual({ output: 0 });
  const cut = await example.run(session.subarray(0, 980));
  expect(cut.rows().length + cut.aside.length).toBe(session.subarray(0, 980).toString("latin1").trim().split("\n").length);
  expect(cut.aside.at(-1)).toContain("the message is cut off");
  const good = order("11=X");
  const long = await example.run(
    `${good}\n8=FIX.4.4\u0001${"58=x\u0001".repeat(300_000)}\n${order(`58=${"y".repeat(1_000_000)}`)}\n${"z".repeat(3_000_000)}\n${good}\n`,
  );
  expect(long.rows().map(({ msg_type, line }) => `${msg_type} ${line}`)).toEqual(["D 1", "D 3", "D 5"]);
  expect(long.aside.length).toBeGreaterThanOrEqual(2);
  const garbage = await example.run(Buffer.concat([Buffer.alloc(300_000, 0x80), Buffer.from(`\n${good}`)]));
  expect(garbage.counts).toEqual({ output: 1, _quarantine: 1 });
});
