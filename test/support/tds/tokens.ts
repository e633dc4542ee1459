import { shortText, u16, u32, u64 } from "./bytes.ts";

/** What a TDS server answers. Source: MS-TDS, "Packet data token stream definition". */

export function done(rows = 0n, { isError = false, isAttention = false } = {}): Buffer {
  const status = (rows > 0n ? 0x10 : 0) | (isError ? 0x02 : 0) | (isAttention ? 0x20 : 0);
  return Buffer.concat([Buffer.from([0xfd]), u16(status), u16(0), u64(rows)]);
}

export function errorToken(number: number, message: string): Buffer {
  const body = Buffer.concat([
    u32(number),
    Buffer.from([1, 16]),
    u16(message.length),
    Buffer.from(message, "utf16le"),
    shortText("stub"),
    shortText(""),
    u32(1),
  ]);
  return Buffer.concat([Buffer.from([0xaa]), u16(body.length), body]);
}

export function loginAck(): Buffer {
  const body = Buffer.concat([Buffer.from([1, 0x74, 0, 0, 4]), shortText("Microsoft SQL Server"), Buffer.from([16, 0, 0, 0])]);
  return Buffer.concat([Buffer.from([0xad]), u16(body.length), body]);
}

/** No encryption, version 11. */
export const preloginAnswer = Buffer.from([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2]);

export function transactionBegun(descriptor: bigint): Buffer {
  return envChange(Buffer.concat([Buffer.from([8, 8]), u64(descriptor), Buffer.from([0])]));
}

export function transactionEnded(descriptor: bigint, how: "committed" | "rolled back"): Buffer {
  return envChange(Buffer.concat([Buffer.from([how === "committed" ? 9 : 10, 0, 8]), u64(descriptor)]));
}

function envChange(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xe3]), u16(body.length), body]);
}

/** A result set: whole and floating-point numbers go as such, everything else as text. */
export interface ResultSet {
  readonly columns: readonly ("int" | "bigint" | "real" | "float" | "nvarchar")[];
  readonly rows: readonly (readonly (string | number | bigint | null)[])[];
}

export function resultTokens({ columns, rows }: ResultSet): Buffer {
  const nvarchar = [0xe7, 0xff, 0xff, 0, 0, 0, 0, 0];
  const types = { int: [0x26, 4], bigint: [0x26, 8], real: [0x6d, 4], float: [0x6d, 8], nvarchar } as const;
  const metadata = columns.map((type) => Buffer.concat([u32(0), u16(1), Buffer.from(types[type]), shortText("")]));
  const cells = rows.flatMap((row) => [Buffer.from([0xd1]), ...row.map((value, index) => cell(columns[index]!, value))]);
  return Buffer.concat([Buffer.from([0x81]), u16(columns.length), ...metadata, ...cells]);
}

function cell(type: ResultSet["columns"][number], value: string | number | bigint | null): Buffer {
  if (type === "nvarchar") {
    if (value === null) return Buffer.alloc(8, 0xff);
    const text = Buffer.from(String(value), "utf16le");
    const piece = text.length === 0 ? Buffer.alloc(0) : Buffer.concat([u32(text.length), text]);
    return Buffer.concat([u64(BigInt(text.length)), piece, u32(0)]);
  }
  if (value === null) return Buffer.from([0]);
  if (type === "int") return Buffer.concat([Buffer.from([4]), u32(Number(value) >>> 0)]);
  if (type === "bigint") return Buffer.concat([Buffer.from([8]), u64(BigInt(value))]);
  const bytes = Buffer.alloc(type === "real" ? 5 : 9, type === "real" ? 4 : 8);
  if (type === "real") bytes.writeFloatLE(Number(value), 1);
  else bytes.writeDoubleLE(Number(value), 1);
  return bytes;
}
