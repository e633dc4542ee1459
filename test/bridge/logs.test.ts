import { expect, test } from "vitest";
import { createLogCollector } from "../../bridge/logs.ts";
import { textOf } from "./run-plugin.ts";

test("chunks come in the order of their arrival, and pieces of a line are joined", () => {
  const logs = createLogCollector(1000);
  logs.add("stdout", Buffer.from("one\ntw"));
  logs.add("stderr", Buffer.from("between\n"));
  logs.add("stdout", Buffer.from("o\n"));
  expect(logs.chunks().map(({ stream, text }) => [stream, text])).toEqual([
    ["stdout", "one\n"],
    ["stderr", "between\n"],
    ["stdout", "two\n"],
  ]);
});

test("a letter of several bytes may come in pieces; what is no text is replaced", () => {
  const logs = createLogCollector(1000);
  const bytes = Buffer.from("é€\0");
  for (const byte of bytes) logs.add("stdout", Buffer.from([byte]));
  logs.add("stdout", Buffer.from([0xff]));
  expect(textOf(logs.chunks(), "stdout")).toBe("é€\u{fffd}\u{fffd}");
});

test.each([1, 7, 64, 1000])("the first and the last half are kept, in pieces of %i bytes", (size) => {
  const whole = Buffer.from(Array.from({ length: 1000 }, (_, n) => `line ${n}\n`).join(""));
  const logs = createLogCollector(100);
  for (let at = 0; at < whole.byteLength; at += size) logs.add("log", whole.subarray(at, at + size));
  expect(textOf(logs.chunks(), "log")).toBe(whole.subarray(0, 50).toString() + whole.subarray(-50).toString());
  expect(textOf(logs.chunks(), "notice")).toBe(`${whole.byteLength - 100} bytes of log were left out here\n`);
  expect(logs.chunks().map(({ stream }) => stream)).toEqual(["log", "notice", "log"]);
  expect(logs.bytesOf("log")).toBe(whole.byteLength);
});

test("a cut does not leave half a letter", () => {
  const logs = createLogCollector(11);
  logs.add("stderr", Buffer.from("a" + "€".repeat(20)));
  expect(textOf(logs.chunks(), "stderr")).toBe("a€\u{fffd}€");
});

test("nothing said, nothing kept", () => {
  expect(createLogCollector(100).chunks()).toEqual([]);
});
