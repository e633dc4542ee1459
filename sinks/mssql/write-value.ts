import { isUtf8 } from "node:buffer";
import { isValid, type Column } from "../../arrow/column.ts";
import { booleanAt, bytesReader, decimalAt, dictionaryReader, floatsOf, integersOf } from "../../arrow/scalar.ts";
import { jsonReader } from "../../arrow/text.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { ValueRefused } from "./refused-value.ts";
import { unitsInOne, type SqlType } from "./sql-type.ts";
import { decimalBytes, timeBytes, type WireBuffer } from "./wire-type.ts";

/** Writes one value of a column of a batch, or that it is null. Throws ValueRefused. */
export type WriteAt = (out: WireBuffer, row: number) => void;

/** How the values of a column go to a column of a type, which is what `sqlTypeOf` has made of it. */
export function valueWriter(column: Column, type: SqlType): WriteAt {
  const writeNull = nullWriter(type);
  if (column.field.dictionary !== undefined) return throughDictionary(column, type, writeNull);
  if (column.field.type.kind === "null") return writeNull;
  const write = plainWriter(column, type);
  return (out, row) => (isValid(column, row) ? write(out, row) : writeNull(out, row));
}

function throughDictionary(column: Column, type: SqlType, writeNull: WriteAt): WriteAt {
  const place = dictionaryReader(column);
  const writers = new Map((column.dictionary ?? []).map((values) => [values, valueWriter(values, type)] as const));
  return (out, row) => {
    const found = isValid(column, row) ? place(row) : null;
    if (found === null) writeNull(out, row);
    else writers.get(found.values)!(out, found.row);
  };
}

const longNull = Buffer.alloc(8, 0xff);

function nullWriter({ base }: SqlType): WriteAt {
  if (base === "nvarchar" || base === "varbinary") return (out) => out.writeBuffer(longNull);
  if (base === "binary") return (out) => out.writeUInt16LE(0xffff);
  return (out) => out.writeUInt8(0);
}

function plainWriter(column: Column, type: SqlType): WriteAt {
  switch (type.base) {
    case "bit":
      return (out, row) => {
        out.writeUInt8(1);
        out.writeUInt8(Number(booleanAt(column, row)));
      };
    case "tinyint":
    case "smallint":
    case "int":
    case "bigint":
      return integerWriter(column, type.base);
    case "real":
    case "float":
      return floatWriter(column, type.base);
    case "decimal":
      return decimalWriter(column, type.precision);
    case "date":
      return timeWriter(column, { base: type.base });
    case "time":
    case "datetime2":
    case "datetimeoffset":
      return timeWriter(column, type);
    case "nvarchar":
      return textWriter(column);
    case "varbinary":
      return binaryWriter(column);
    case "binary": {
      const bytes = bytesReader(column);
      return (out, row) => {
        out.writeUInt16LE(type.length);
        out.writeBuffer(copyOf(bytes(row)));
      };
    }
  }
}

function integerWriter(column: Column, base: "tinyint" | "smallint" | "int" | "bigint"): WriteAt {
  const values = integersOf(column);
  switch (base) {
    case "tinyint":
      return (out, row) => {
        out.writeUInt8(1);
        out.writeUInt8(Number(values[row]));
      };
    case "smallint":
      return (out, row) => {
        out.writeUInt8(2);
        out.writeInt16LE(Number(values[row]));
      };
    case "int":
      return (out, row) => {
        out.writeUInt8(4);
        out.writeInt32LE(Number(values[row]));
      };
    case "bigint":
      return (out, row) => {
        out.writeUInt8(8);
        out.writeBigInt64LE(BigInt(values[row]!));
      };
  }
}

/** The least numbers that the documentation promises to keep; those nearer to zero may be refused or become zero. Source: "float and real". */
const normalMin = { real: 2 ** -126, float: 2 ** -1022 } as const;

function floatWriter(column: Column, base: "real" | "float"): WriteAt {
  const values = floatsOf(column);
  const min = normalMin[base];
  return (out, row) => {
    const value = values[row]!;
    if (!Number.isFinite(value))
      throw new ValueRefused(`${value}, and SQL Server has no such number`, "Replace it with null in the plugin");
    if (value !== 0 && Math.abs(value) < min)
      throw new ValueRefused(`${value}, which is nearer to zero than SQL Server's ${base} goes`, "Round it to zero in the plugin");
    if (base === "float") {
      out.writeUInt8(8);
      out.writeDoubleLE(value);
    } else {
      out.writeUInt8(4);
      out.writeFloatLE(value);
    }
  };
}

/** A sign, and the digits as a whole number of 4 to 16 bytes. */
function decimalWriter(column: Column, precision: number): WriteAt {
  const bytes = decimalBytes(precision);
  const limit = 10n ** BigInt(precision);
  const { type } = column.field;
  const factor = type.kind === "decimal" && type.scale < 0 ? 10n ** BigInt(-type.scale) : 1n;
  const integers = type.kind === "decimal" ? null : integersOf(column);
  return (out, row) => {
    const value = integers === null ? decimalAt(column, row) * factor : BigInt(integers[row]!);
    const magnitude = value < 0n ? -value : value;
    if (magnitude >= limit)
      throw new ValueRefused(`${value} unscaled, which has more than ${precision} digits`, "Correct it in the plugin");
    out.writeUInt8(1 + bytes);
    out.writeUInt8(value < 0n ? 0 : 1);
    for (let word = 0; word < bytes / 4; word += 1) out.writeUInt32LE(Number((magnitude >> BigInt(32 * word)) & 0xffff_ffffn));
  };
}

type TimeType = { readonly base: "date" } | Extract<SqlType, { readonly base: "time" | "datetime2" | "datetimeoffset" }>;

/** Days from 0001-01-01 to 1970-01-01, and to the day after 9999-12-31. */
const [epochDay, endDay] = [719_162n, 3_652_059n];

function timeWriter(column: Column, type: TimeType): WriteAt {
  const values = integersOf(column);
  const divisor = unitsInOne(column.field);
  const scale = type.base === "date" ? 0 : type.scale;
  const [clockBytes, perDay] = [timeBytes(scale), 86_400n * 10n ** BigInt(scale)];
  const whole = (row: number): bigint => {
    const value = BigInt(values[row]!);
    if (value % divisor === 0n) return value / divisor;
    if (type.base === "date")
      throw new ValueRefused(`${value} ms since 1970, which is not a whole day`, "Yield a timestamp, or cut it off in the plugin");
    throw new ValueRefused(
      `${value} ns, and SQL Server keeps hundreds of nanoseconds`,
      "Round it in the plugin, or cast the column to int64",
    );
  };
  const writeDay = (out: WireBuffer, day: bigint): void => {
    const counted = day + epochDay;
    if (counted < 0n || counted >= endDay)
      throw new ValueRefused(
        "outside of the years 1 to 9999, which SQL Server keeps",
        "Replace it with null in the plugin, or cast the column to int64",
      );
    out.writeUInt24LE(Number(counted));
  };
  const writeClock = (out: WireBuffer, ticks: bigint): void => {
    if (ticks < 0n || ticks >= perDay) throw new ValueRefused("no time of a day", "Correct it in the plugin");
    writeLittleEndian(out, Number(ticks), clockBytes);
  };
  return (out, row) => {
    const count = whole(row);
    if (type.base === "date") {
      out.writeUInt8(3);
      writeDay(out, count);
    } else if (type.base === "time") {
      out.writeUInt8(clockBytes);
      writeClock(out, count);
    } else {
      const ticks = ((count % perDay) + perDay) % perDay;
      // An instant is kept with the offset of UTC.
      out.writeUInt8(clockBytes + 3 + (type.base === "datetimeoffset" ? 2 : 0));
      writeClock(out, ticks);
      writeDay(out, (count - ticks) / perDay);
      if (type.base === "datetimeoffset") out.writeInt16LE(0);
    }
  };
}

function writeLittleEndian(out: WireBuffer, value: number, bytes: number): void {
  if (bytes === 3) out.writeUInt24LE(value);
  else out.writeUInt32LE(value % 2 ** 32);
  if (bytes === 5) out.writeUInt8(Math.floor(value / 2 ** 32));
}

/** A value of unknown length in one piece, as the driver sends them. */
const unknownLength = Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
/** UTF-16 units, and bytes. Source: "nchar and nvarchar", "binary and varbinary". */
const longBytesMax = 2 ** 31 - 2;

function textWriter(column: Column): WriteAt {
  const textAt = textReaderOf(column);
  return (out, row) => {
    const text = textAt(row);
    if (text.length * 2 > longBytesMax) throw new ValueRefused("longer than 2 GB in UTF-16", "Shorten it in the plugin");
    out.writeBuffer(unknownLength);
    if (text.length > 0) {
      out.writeUInt32LE(text.length * 2);
      out.writeString(text, "ucs2");
    }
    out.writeUInt32LE(0);
  };
}

const replacement = "\ufffd";

/** Texts, or JSON. Bytes that are not UTF-8 would come out as the replacement character. */
function textReaderOf(column: Column): (row: number) => string {
  if (!/^(large_)?string(_view)?$/.test(column.field.type.kind)) {
    const json = jsonReader(column);
    return (row) => {
      try {
        return json(row);
      } catch (error) {
        if (!(error instanceof TerminalFailure && error.code === "SINK_VALUE")) throw error;
        throw new ValueRefused("not UTF-8 everywhere", "Decode it in the plugin with its own encoding, or yield the column as binary");
      }
    };
  }
  const bytes = bytesReader(column);
  return (row) => {
    const given = bytes(row);
    const text = Buffer.from(given.buffer, given.byteOffset, given.length).toString("utf8");
    if (text.includes(replacement) && !isUtf8(given))
      throw new ValueRefused("not UTF-8", "Decode it in the plugin with its own encoding, or yield the column as binary");
    return text;
  };
}

function binaryWriter(column: Column): WriteAt {
  const bytes = bytesReader(column);
  return (out, row) => {
    const value = copyOf(bytes(row));
    if (value.length > longBytesMax) throw new ValueRefused("longer than 2 GB", "Shorten it in the plugin");
    out.writeBuffer(unknownLength);
    if (value.length > 0) {
      out.writeUInt32LE(value.length);
      out.writeBuffer(value);
    }
    out.writeUInt32LE(0);
  };
}

/** From this size on the driver keeps a buffer instead of copying it, and a message's bytes are only lent. */
const keptBytesMin = 8192;

function copyOf(bytes: Uint8Array): Buffer {
  if (bytes.length >= keptBytesMin) return Buffer.from(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
