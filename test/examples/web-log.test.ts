import { beforeAll, expect, test } from "vitest";
import { data, loadExample, type Example } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("web_log");
});

test("nginx's log of good and of odd requests", async () => {
  const ran = await example.run(data("nginx.access"));
  expect(ran.counts).toEqual({ output: 9 });
  expect(ran.types()).toEqual({
    line: "int64",
    time: "timestamp[us, tz=UTC]",
    utc_offset: "string",
    virtual_host: "string",
    client: "string",
    identity: "string",
    user: "string",
    method: "string",
    target: "string",
    protocol: "string",
    request: "string",
    status: "int16",
    bytes: "int64",
    referrer: "string",
    user_agent: "string",
    more: "string",
  });
  const rows = ran.rows();
  expect(rows[2]).toEqual({
    line: "3",
    time: "2026-11-22T08:58:09.000000Z",
    utc_offset: "+0100",
    client: "127.0.0.1",
    method: "GET",
    target: "/index.html",
    protocol: "HTTP/1.1",
    status: "200",
    bytes: "3",
    referrer: "http://127.0.0.1:18099/",
    user_agent: "Mozilla/5.0 (X11; Linux x86_64) \\x22quoted\\x22",
  });
  expect(rows[5]).toMatchObject({ user: "ann", status: "401" });
  expect(rows.slice(6).map(({ request, target, status }) => request ?? `${target} ${status}`)).toEqual([
    "GARBAGE",
    "\\x16\\x03\\x01\\x02\\x00\\x01\\xFC",
    "/\\xC3\\xA4?\\xFF 404",
  ]);
});

test("Apache's forms: common, combined with a virtual host, quotes in quotes, more fields, a zone west of Greenwich", async () => {
  const ran = await example.run(
    [
      '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326',
      'www.example.com:443 2001:db8::1 - - [29/Feb/2024:23:59:60 +0530] "GET / HTTP/2" 304 -',
      'www.example.com:443 2001:db8::1 - - [29/Feb/2024:23:59:59 +0530] "GET /\\"x\\" HTTP/2" 304 - "-" "a \\"b\\"" 1834 "t=0.1"',
    ].join("\n"),
  );
  expect(ran.rows()).toEqual([
    {
      line: "1",
      time: "2000-10-10T20:55:36.000000Z",
      utc_offset: "-0700",
      client: "127.0.0.1",
      user: "frank",
      method: "GET",
      target: "/apache_pb.gif",
      protocol: "HTTP/1.0",
      status: "200",
      bytes: "2326",
    },
    {
      line: "3",
      time: "2024-02-29T18:29:59.000000Z",
      utc_offset: "+0530",
      virtual_host: "www.example.com:443",
      client: "2001:db8::1",
      method: "GET",
      target: '/\\"x\\"',
      protocol: "HTTP/2",
      status: "304",
      user_agent: 'a \\"b\\"',
      more: '1834 "t=0.1"',
    },
  ]);
  expect(ran.aside).toEqual(["line 2, byte 86: second must be in 0..59"]);
});

test("W3C extended format, whose fields change midway", async () => {
  const ran = await example.run(
    [
      "#Software: Microsoft Internet Information Services 10.0",
      "#Version: 1.0",
      "#Date: 2024-02-29 00:00:01",
      "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status time-taken",
      "2024-02-29 00:00:01 10.0.0.1 GET /a.aspx id=1&x=%20 443 - 192.0.2.9 Mozilla/5.0+(Windows+NT+10.0) 200 15",
      "2024-02-29 00:00:02 10.0.0.1 GET /b - 443 - 192.0.2.9 - 404",
      "#Fields: time c-ip cs-method cs-uri sc-status",
      "00:00:03 192.0.2.9 GET /c 200",
    ].join("\r\n"),
  );
  expect(ran.rows()).toEqual([
    {
      line: "5",
      time: "2024-02-29T00:00:01.000000Z",
      client: "192.0.2.9",
      method: "GET",
      target: "/a.aspx?id=1&x=%20",
      user_agent: "Mozilla/5.0+(Windows+NT+10.0)",
      status: "200",
      more: '{"s-ip": "10.0.0.1", "s-port": "443", "time-taken": "15"}',
    },
    { line: "8", time: "2024-02-29T00:00:03.000000Z", client: "192.0.2.9", method: "GET", target: "/c", status: "200" },
  ]);
  expect(ran.aside).toEqual([expect.stringMatching(/^line 6, byte \d+: 11 fields, the line #Fields names 12$/) as string]);
});

test("hostile files: everything is a row or set aside", async () => {
  expect((await example.run("")).counts).toEqual({ output: 0 });
  const good = '127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1';
  const cut = await example.run(`${good}\n${good.slice(0, 50)}`);
  expect(cut.counts).toEqual({ output: 1, _quarantine: 1 });
  const long = await example.run(`${good}\n${"a ".repeat(500_000)}"\n1.1.1.1 - - [${"x".repeat(900_000)}\n${good}`);
  expect(long.rows().map(({ line }) => line)).toEqual(["1", "4"]);
  expect(long.counts).toEqual({ output: 2, _quarantine: 2 });
  const utf16 = await example.run(Buffer.from(good, "utf16le"));
  expect(utf16.counts).toEqual({ output: 0, _quarantine: 1 });
  expect((await example.run(`${good.replace(" 1", " 99999999999999999999")}\n`)).aside[0]).toContain("is not a number up to");
});
