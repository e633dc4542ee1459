import { beforeAll, expect, test } from "vitest";
import { data, loadExample, type Example } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("syslog");
});

test("what util-linux's logger sends, in each of its forms", async () => {
  const ran = await example.run(data("util-linux.syslog"), { YEAR: "2026", ZONE: '"Europe/Berlin"' });
  expect(ran.types()).toEqual({
    line: "int64",
    priority: "int16",
    facility: "string",
    severity: "string",
    time: "timestamp[us, tz=UTC]",
    host: "string",
    app: "string",
    process_id: "string",
    message_id: "string",
    structured_data: "string",
    message: "string",
  });
  expect(ran.aside).toEqual([]);
  const [ssh, deploy, app, cron, clock] = ran.rows();
  expect(ssh).toEqual({
    line: "1",
    priority: "36",
    facility: "auth",
    severity: "warning",
    time: "2026-11-22T08:58:33.000000Z",
    app: "sshd",
    process_id: "20975",
    message: "Failed password for invalid user admin from 192.0.2.7 port 51122 ssh2",
  });
  expect(deploy).toEqual({
    line: "2",
    priority: "13",
    facility: "user",
    severity: "notice",
    time: "2026-11-22T08:58:33.076861Z",
    host: "web1",
    app: "deploy",
    process_id: "4711",
    message_id: "RELEASE",
    structured_data: '[timeQuality tzKnown="1" isSynced="0"][zoo@123 tiger="hungry" note="a \\"quoted\\" word"]',
    message: "release 1.2.3 – größer",
  });
  expect(app).toEqual({ line: "3", priority: "191", facility: "local7", severity: "debug", app: "app", message: "no time and no host" });
  expect(cron).toMatchObject({ facility: "cron", host: "web1", app: "CRON", message: "(root) CMD (run-parts /etc/cron.hourly)" });
  expect(clock).toMatchObject({ severity: "err", app: "ntpd", message: "clock unsynchronized" });
});

test("the examples of RFC 3164 (5.4) and RFC 5424 (6.5)", async () => {
  const lines = [
    "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8",
    "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
    '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventID="1011"][examplePriority@32473 class="high"]',
  ];
  const ran = await example.run(lines.join("\n"), { YEAR: "2003" });
  expect(ran.rows().map(({ time, host, app, message }) => [time, host, app, message])).toEqual([
    ["2003-10-11T22:14:15.000000Z", "mymachine", "su", "'su root' failed for lonvick on /dev/pts/8"],
    ["2003-10-11T22:14:15.003000Z", "mymachine.example.com", "su", "\ufeff'su root' failed for lonvick on /dev/pts/8"],
    ["2003-08-24T12:14:15.000003Z", "192.0.2.1", "myproc", "%% It's time to make the do-nuts."],
    ["2003-10-11T22:14:15.003000Z", "mymachine.example.com", "evntslog", undefined],
  ]);
});

test("years are counted back from the last line, over the turn of the year and a line that comes late", async () => {
  const days = ["Nov 30", "Dec 31", "Jan  1", "Dec 31", "Jan  2", "Feb 29"];
  const ran = await example.run(days.map((day) => `${day} 00:00:00 h a: b`).join("\n"), { YEAR: "2024" });
  expect(ran.rows().map((row) => row["time"]!.slice(0, 10))).toEqual([
    "2023-11-30",
    "2023-12-31",
    "2024-01-01",
    "2023-12-31",
    "2024-01-02",
    "2024-02-29",
  ]);
  expect((await example.run("Feb 29 00:00:00 h a: b", { YEAR: "2023" })).aside).toEqual(["line 1, byte 0: day is out of range for month"]);
});

test("lines that are no syslog are set aside with line and byte", async () => {
  const ran = await example.run("Oct 11 22:14:15 h a: ok\r\n  at Some.java:7\n\n<192>Oct 11 22:14:15 h a: b\nOct 11 25:14:15 h a: b\n", {
    YEAR: "2024",
  });
  expect(ran.counts).toEqual({ output: 1, _quarantine: 3 });
  expect(ran.aside).toEqual([
    "line 2, byte 25: the line does not begin like a line of syslog: priority, time and host",
    "line 4, byte 43: priority 192 is more than 191",
    expect.stringMatching(/^line 5, byte 71: .*does not match format/) as string,
  ]);
});

test("hostile files: everything is a row or set aside", async () => {
  expect((await example.run("")).counts).toEqual({ output: 0 });
  const garbage = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * 7919 * (at >> 3)) % 256));
  const lines = garbage
    .toString("latin1")
    .split("\n")
    .filter((line) => line.trim() !== "").length;
  const ran = await example.run(garbage);
  expect(ran.counts["output"]).toBe(0);
  expect(ran.counts["_quarantine"]).toBeGreaterThan(lines * 0.9);
  const long = await example.run(`Oct 11 22:14:15 h a: ${"x".repeat(3_000_000)}\nOct 11 22:14:15 h a: y`, { YEAR: "2024" });
  expect(long.rows().map(({ line }) => line)).toEqual(["2"]);
  expect(long.aside).toEqual(["line 1, byte 0: the line is longer than 1048576 bytes"]);
  const latin = await example.run(Buffer.from("Oct 11 22:14:15 h a: grün\nOct 11 22:14:15 h a: ok", "latin1"), { YEAR: "2024" });
  expect(latin.rejected()).toMatchObject([{ _cf_position: "line 1, byte 0", text: "Oct 11 22:14:15 h a: gr\\xfcn" }]);
  expect(latin.counts).toEqual({ output: 1, _quarantine: 1 });
});
