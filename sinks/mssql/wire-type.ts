import type { BulkLoad } from "tedious";
import { declaration, type SqlType } from "./sql-type.ts";

/** A type of the driver. */
export type DriverType = Parameters<BulkLoad["addColumn"]>[1];
/** What the driver sends, as it grows. Buffers of 8 KB and more are kept by reference. */
export type WireBuffer = Parameters<DriverType["writeValue"]>[0];

/**
 * A column of a bulk load whose values are written by `write`, which is called once for each row in order. The driver's own types would take
 * decimals and times through floating-point numbers and `Date`.
 * Source of the bytes: MS-TDS, "Data type definitions".
 */
export function driverType(type: SqlType, write: (out: WireBuffer) => void): DriverType {
  return {
    id: 0,
    type: type.base.toUpperCase(),
    name: type.base,
    declaration: () => declaration(type),
    validate: () => null,
    writeTypeInfo(out, { collation }) {
      out.writeBuffer(typeInfo(type));
      if (type.base === "nvarchar") out.writeBuffer(collation === undefined ? noCollation : collation.toBuffer().subarray(0, 5));
    },
    writeValue: (out) => write(out),
  };
}

const noCollation = Buffer.alloc(5);
const unlimited = [0xff, 0xff];

function typeInfo(type: SqlType): Buffer {
  switch (type.base) {
    case "bit":
      return Buffer.from([0x68, 1]);
    case "tinyint":
      return Buffer.from([0x26, 1]);
    case "smallint":
      return Buffer.from([0x26, 2]);
    case "int":
      return Buffer.from([0x26, 4]);
    case "bigint":
      return Buffer.from([0x26, 8]);
    case "real":
      return Buffer.from([0x6d, 4]);
    case "float":
      return Buffer.from([0x6d, 8]);
    case "decimal":
      return Buffer.from([0x6a, 1 + decimalBytes(type.precision), type.precision, type.scale]);
    case "date":
      return Buffer.from([0x28]);
    case "time":
      return Buffer.from([0x29, type.scale]);
    case "datetime2":
      return Buffer.from([0x2a, type.scale]);
    case "datetimeoffset":
      return Buffer.from([0x2b, type.scale]);
    case "nvarchar":
      return Buffer.from([0xe7, ...unlimited]);
    case "varbinary":
      return Buffer.from([0xa5, ...unlimited]);
    case "binary":
      return Buffer.from([0xad, type.length & 0xff, type.length >> 8]);
  }
}

/** Of a decimal's digits, without the byte of its sign. */
export function decimalBytes(precision: number): number {
  return precision <= 9 ? 4 : precision <= 19 ? 8 : precision <= 28 ? 12 : 16;
}

/** Of a time's digits. */
export function timeBytes(scale: number): number {
  return scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
}
