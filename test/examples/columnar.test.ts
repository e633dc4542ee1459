import { beforeAll, expect, test } from "vitest";
import { bytesOf, data, loadExample, type Example } from "./run-example.ts";

let example: Example;
beforeAll(async () => {
  example = await loadExample("columnar");
});

const parquet = bytesOf("flights.parquet");
const stream = bytesOf("flights.arrows");

test.each(["flights.arrow", "flights.arrows", "flights.parquet"])("%s: rows and types as they are", async (name) => {
  const ran = await example.run(data(name));
  expect(ran.counts).toEqual({ output: 3000 });
  expect(ran.types()).toEqual({ delay: "int16", distance: "int16", time: "float" });
  expect(ran.rows()[1]).toEqual({ delay: "171", distance: "2227", time: "0" });
  expect(ran.aside).toEqual([]);
});

test("some columns only", async () => {
  expect((await example.run(data("flights.parquet"), { COLUMNS: '["time", "delay"]' })).types()).toEqual({ time: "float", delay: "int16" });
});

test("a row group whose checksum does not hold is set aside, the others are read", async () => {
  const damaged = Buffer.from(parquet);
  damaged.writeUInt8(damaged.readUInt8(5000) ^ 0xff, 5000);
  const ran = await example.run(damaged);
  expect(ran.counts).toEqual({ output: 2000, _quarantine: 1 });
  expect(ran.rejected()).toMatchObject([{ _cf_position: expect.stringMatching(/^part [123]$/) as string, rows: "1000" }]);
});

test("a stream that is cut off: what was whole is read, the rest is said", async () => {
  const ran = await example.run(stream.subarray(0, 15_000));
  expect(ran.counts).toEqual({ output: 1000, _quarantine: 1 });
  expect(ran.aside).toEqual([expect.stringMatching(/^part 1, after row 1000: /) as string]);
  const atBoundary = await example.run(stream.subarray(0, stream.length - 8));
  expect(atBoundary.counts).toEqual({ output: 3000, _quarantine: 1 });
});

test("hostile files: refused in words", async () => {
  expect(await example.fail("")).toBe("ValueError: the file is empty: it is neither Parquet nor Arrow nor ORC");
  expect(await example.fail("id,name\n")).toContain("begins with b'id,name");
  expect(await example.fail(parquet.subarray(0, 6000))).toMatch(/Parquet magic bytes not found in footer/);
  expect(await example.fail(bytesOf("flights.arrow").subarray(0, 9000))).toMatch(/not an Arrow file|File is too small/i);
  expect(await example.fail(Buffer.concat([Buffer.from("PAR1"), Buffer.alloc(5000, 0xaa), Buffer.from("PAR1")]))).toMatch(
    /^(OSError|ArrowInvalid)/,
  );
});
