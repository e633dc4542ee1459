import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeStruct, encodeStruct, skip, wire } from "../../sinks/parquet/thrift.ts";
import type { Shape, ThriftStruct, ThriftValue } from "../../sinks/parquet/thrift.ts";

/** Takes everything apart, at any depth. */
const everything: Shape = new Proxy({}, { get: () => everything });

const scalar = fc.oneof(
  fc.boolean().map((value): ThriftValue => ({ type: "bool", value })),
  fc.integer({ min: -128, max: 127 }).map((value): ThriftValue => ({ type: "i8", value })),
  fc.integer({ min: -32768, max: 32767 }).map((value): ThriftValue => ({ type: "i16", value })),
  fc.integer().map((value): ThriftValue => ({ type: "i32", value })),
  fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }).map((value): ThriftValue => ({ type: "i64", value })),
  fc.double({ noNaN: true }).map((value): ThriftValue => ({ type: "double", value })),
  fc.uint8Array().map((value): ThriftValue => ({ type: "binary", value })),
);
const { value: anyValue } = fc.letrec<{ value: ThriftValue; struct: ThriftValue; list: ThriftValue }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, scalar, tie("struct"), tie("list")),
  struct: fc
    .array(fc.tuple(fc.integer({ min: 1, max: 100 }), tie("value")), { maxLength: 6 })
    .map((fields): ThriftValue => ({ type: "struct", fields: new Map(fields) })),
  list: fc.oneof(
    fc
      .array(fc.integer(), { maxLength: 40 })
      .map((items): ThriftValue => ({ type: "list", of: wire.i32, items: items.map((value) => ({ type: "i32", value })) })),
    fc
      .array(fc.boolean(), { maxLength: 20 })
      .map((items): ThriftValue => ({ type: "list", of: wire.true, items: items.map((value) => ({ type: "bool", value })) })),
    fc.array(tie("struct"), { maxLength: 3 }).map((items): ThriftValue => ({ type: "list", of: wire.struct, items })),
  ),
}));
const anyStruct = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 300 }), anyValue), { maxLength: 8 })
  .map((fields): ThriftStruct => new Map(fields));

test("what is written is read again, whatever the order of its fields", () => {
  fc.assert(
    fc.property(anyStruct, (fields) => {
      const bytes = encodeStruct(fields);
      const cursor = { bytes, at: 0 };
      expect(decodeStruct(cursor, everything)).toEqual(fields);
      expect(cursor.at).toBe(bytes.length);
    }),
  );
});

test("what is not taken apart is written as it was read", () => {
  fc.assert(
    fc.property(anyStruct, fc.array(fc.integer({ min: 1, max: 300 })), (fields, ids) => {
      const bytes = encodeStruct(fields);
      const shape = Object.fromEntries(ids.map((id) => [id, {}]));
      expect(encodeStruct(decodeStruct({ bytes, at: 0 }, shape))).toEqual(bytes);
      const cursor = { bytes, at: 0 };
      skip(cursor, wire.struct);
      expect(cursor.at).toBe(bytes.length);
    }),
  );
});

test("the protocol's own example values", () => {
  // doc/specs/thrift-compact-protocol.md: zigzag and varint, short and long field headers.
  expect([...encodeStruct(new Map([[1, { type: "i32", value: 50399 } as const]]))]).toEqual([0x15, 0xbe, 0x93, 0x06, 0]);
  expect([...encodeStruct(new Map([[16, { type: "bool", value: false } as const]]))]).toEqual([0x02, 0x20, 0]);
});

test("data that ends too early, and numbers beyond any count, are errors and no endless loop", () => {
  const bytes = encodeStruct(new Map([[1, { type: "binary", value: new Uint8Array(20) } as const]]));
  for (let length = 0; length < bytes.length; length++)
    expect(() => decodeStruct({ bytes: bytes.subarray(0, length), at: 0 }, everything)).toThrow("ends too early");
  expect(() =>
    decodeStruct({ bytes: Uint8Array.of(0x16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0), at: 0 }, everything),
  ).toThrow("beyond any count");
  expect(() => decodeStruct({ bytes: Uint8Array.of(0x1b, 0, 0), at: 0 }, everything)).toThrow("none that Parquet uses");
});
