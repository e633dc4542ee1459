import { beforeAll, expect, test } from "vitest";
import { bytesOf, data, loadExample, type Example } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("windows_events");
});

const log = bytesOf("sysmon.evtx");

test("a log of Sysmon: seven events with exact types, and the whole event as JSON", async () => {
  const ran = await example.run(data("sysmon.evtx"));
  expect(ran.counts).toEqual({ output: 7 });
  expect(ran.types()).toMatchObject({
    record_id: "int64",
    time_created: "timestamp[us, tz=UTC]",
    event_id: "int32",
    level: "int16",
    process_id: "int64",
    event: "string",
    chunk_intact: "bool",
  });
  const [first] = ran.rows();
  expect(first).toMatchObject({
    record_id: "2164886",
    written_time: "2020-10-05T20:43:58.390190Z",
    time_created: "2020-10-05T20:43:58.351744Z",
    provider: "Microsoft-Windows-Sysmon",
    event_id: "10",
    version: "3",
    level: "4",
    keywords: "0x8000000000000000",
    channel: "Microsoft-Windows-Sysmon/Operational",
    computer: "LAPTOP-JU4M3I0E",
    user_id: "S-1-5-18",
    process_id: "5424",
    thread_id: "6708",
    chunk: "1",
    chunk_intact: "true",
  });
  expect(JSON.parse(first!["data"]!)).toMatchObject({ GrantedAccess: "0x1410", SourceProcessId: 27_356 });
  expect(JSON.parse(first!["event"]!)).toHaveProperty("Event.System.EventRecordID", 2_164_886);
});

test("an event that is damaged is set aside by its number, and no event is lost", async () => {
  const damaged = Buffer.from(log);
  // The second record begins where the first one's length says; its own length is destroyed.
  const second = 4096 + 512 + log.readUInt32LE(4096 + 512 + 4);
  damaged.writeUInt32LE(0, second + 4);
  const ran = await example.run(damaged);
  expect(ran.counts).toEqual({ output: 1, _quarantine: 6 });
  expect(ran.rows()[0]).toMatchObject({ record_id: "2164886", chunk_intact: "false" });
  expect(ran.rejected().map((row) => row["_cf_position"])).toEqual([2, 3, 4, 5, 6, 7].map((event) => `event ${event}, chunk 1, byte 4096`));
});

test("a chunk that is damaged harms no other; one that is cut off is said", async () => {
  const chunk = log.subarray(4096);
  const broken = Buffer.from(chunk);
  broken.write("XXXX");
  const ran = await example.run(Buffer.concat([log.subarray(0, 4096), broken, chunk, Buffer.alloc(65_536), chunk.subarray(0, 20_000)]));
  expect(ran.rows().map((row) => row["chunk"])).toEqual(Array.from({ length: 7 }, () => "2"));
  expect(ran.aside).toEqual([
    "chunk 1, byte 4096: the chunk does not begin like one but with b'XXXXhnk\\x00'",
    "chunk 4, byte 200704: the file ends within this chunk, after 20000 of its 65536 bytes",
  ]);
});

test("hostile files: set aside or refused in words", async () => {
  expect(await example.fail("")).toContain("the file is no event log: it has 0 bytes of a header");
  expect(await example.fail(Buffer.alloc(100_000, 0xee))).toContain("the file is no event log");
  const headOnly = await example.run(log.subarray(0, 4096));
  expect(headOnly.aside).toEqual(["after chunk 0: the file is cut off: it says that it has 1 chunks, 0 are there"]);
  const garbage = await example.run(Buffer.concat([log.subarray(0, 4096 + 128), Buffer.alloc(65_408, 0x5a)]));
  expect(garbage.counts["output"]! + garbage.counts["_quarantine"]!).toBe(7);
});
