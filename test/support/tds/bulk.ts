import { decimalText, dateText, timeText } from "../../../arrow/text.ts";
import { ByteReader } from "./bytes.ts";

/**
 * A value as it lies on the wire: numbers of 64 bits as BigInts, decimals, dates and times as text with all the digits of their scale,
 * datetimes in ISO 8601.
 */
export type BulkValue = number | bigint | string | boolean | Buffer | null;

/** Takes a bulk load apart as it comes, so that none of it has to be kept. */
export interface BulkDecoder {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** The rows that are whole by now; of a long one not before much of it has come, unless these bytes are the last. */
  push(bytes: Buffer, isLast: boolean): readonly (readonly BulkValue[])[];
  /** Whether the end has come. */
  isComplete(): boolean;
}

interface WireType {
  readonly id: number;
  readonly length: number;
  readonly precision: number;
  readonly scale: number;
}

export function createBulkDecoder(): BulkDecoder {
  const columns: { readonly name: string; readonly type: string; readonly wire: WireType }[] = [];
  let parts: Buffer[] = [];
  /** How many bytes are waiting, and how many are worth a try. */
  let [waiting, enough] = [0, 0];
  let complete = false;
  const token = (reader: ByteReader): readonly BulkValue[] | null => {
    const kind = reader.u8();
    if (kind === 0x81) {
      const found = Array.from({ length: reader.u16() }, () => readColumn(reader));
      columns.push(...found);
      return null;
    }
    if (kind === 0xd1) return columns.map(({ wire }) => readValue(reader, wire));
    if (kind !== 0xfd) throw new Error(`a bulk load has no token 0x${kind.toString(16)}`);
    reader.take(12);
    complete = true;
    return null;
  };
  return {
    columns,
    isComplete: () => complete,
    push(bytes, isLast) {
      parts.push(bytes);
      waiting += bytes.length;
      if (waiting < enough && !isLast) return [];
      const reader = new ByteReader(parts.length === 1 ? bytes : Buffer.concat(parts));
      const rows: (readonly BulkValue[])[] = [];
      let taken = 0;
      try {
        while (reader.at < reader.bytes.length) {
          const row = token(reader);
          taken = reader.at;
          if (row !== null) rows.push(row);
        }
      } catch (error) {
        // The row goes on in the next packet.
        if (!(error instanceof RangeError)) throw error;
      }
      parts = [Buffer.from(reader.bytes.subarray(taken))];
      waiting = parts[0]!.length;
      enough = 2 * waiting;
      return rows;
    },
  };
}

function readColumn(reader: ByteReader): { readonly name: string; readonly type: string; readonly wire: WireType } {
  reader.take(6);
  const wire = readType(reader);
  return { name: reader.text(reader.u8()), type: typeName(wire), wire };
}

function readType(reader: ByteReader): WireType {
  const id = reader.u8();
  const none = { length: 0, precision: 0, scale: 0 };
  switch (id) {
    case 0x26:
    case 0x68:
    case 0x6d:
      return { ...none, id, length: reader.u8() };
    case 0x6a:
      return { id, length: reader.u8(), precision: reader.u8(), scale: reader.u8() };
    case 0x28:
      return { ...none, id };
    case 0x29:
    case 0x2a:
    case 0x2b:
      return { ...none, id, scale: reader.u8() };
    case 0xe7: {
      const length = reader.u16();
      reader.take(5);
      return { ...none, id, length };
    }
    case 0xa5:
    case 0xad:
      return { ...none, id, length: reader.u16() };
    default:
      throw new Error(`a bulk load has no type 0x${id.toString(16)}`);
  }
}

function typeName({ id, length, precision, scale }: WireType): string {
  const integers: Readonly<Record<number, string>> = { 1: "tinyint", 2: "smallint", 4: "int", 8: "bigint" };
  const limit = length === 0xffff ? "max" : String(id === 0xe7 ? length / 2 : length);
  switch (id) {
    case 0x26:
      return integers[length]!;
    case 0x68:
      return "bit";
    case 0x6d:
      return length === 4 ? "real" : "float";
    case 0x6a:
      return `decimal(${precision},${scale})`;
    case 0x28:
      return "date";
    case 0xe7:
      return `nvarchar(${limit})`;
    case 0xa5:
      return `varbinary(${limit})`;
    case 0xad:
      return `binary(${limit})`;
    default:
      return `${({ 0x29: "time", 0x2a: "datetime2", 0x2b: "datetimeoffset" } as Readonly<Record<number, string>>)[id]!}(${scale})`;
  }
}

function readValue(reader: ByteReader, { id, length: limit, precision, scale }: WireType): BulkValue {
  if (id === 0xe7 || id === 0xa5 || id === 0xad) {
    const bytes = limit === 0xffff ? reader.pieces() : shortBytes(reader);
    if (bytes === null) return null;
    return id === 0xe7 ? bytes.toString("utf16le") : Buffer.from(bytes);
  }
  const length = reader.u8();
  if (length === 0) return null;
  switch (id) {
    case 0x26:
      return length === 8 ? reader.take(8).readBigInt64LE() : length === 1 ? reader.u8() : reader.take(length).readIntLE(0, length);
    case 0x68:
      return reader.u8() === 1;
    case 0x6d:
      return length === 4 ? reader.take(4).readFloatLE() : reader.take(8).readDoubleLE();
    case 0x6a: {
      const isPositive = reader.u8() === 1;
      const digits = reader.big(length - 1);
      if (digits >= 10n ** BigInt(precision)) throw new Error(`a decimal(${precision},${scale}) has too many digits`);
      return decimalText(isPositive ? digits : -digits, scale);
    }
    case 0x28:
      return dateText(reader.big(3) - 719_162n);
    case 0x29:
      return timeText(reader.big(length), scale);
    default: {
      const isOffset = id === 0x2b;
      const time = timeText(reader.big(length - 3 - (isOffset ? 2 : 0)), scale);
      const date = dateText(reader.big(3) - 719_162n);
      return `${date}T${time}${isOffset ? offsetText(reader.take(2).readInt16LE()) : ""}`;
    }
  }
}

function shortBytes(reader: ByteReader): Buffer | null {
  const length = reader.u16();
  return length === 0xffff ? null : reader.take(length);
}

function offsetText(minutes: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}
