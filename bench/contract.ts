import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Column } from "../arrow/column.ts";
import { writeSchema } from "../arrow/schema.ts";
import { typeName, type ArrowField, type ArrowType } from "../arrow/type.ts";
import { writeBatch } from "../arrow/write-batch.ts";
import { createScreen, type Screen } from "../contracts/screen.ts";
import type { ArrowMessage } from "../domain/arrow.ts";
import type { ColumnChecks, Contract } from "../domain/contract.ts";
import { createSinks } from "../sinks/registry.ts";
import type { Figure } from "./figure.ts";
import { seconds } from "./seconds.ts";
import { tradesRequest } from "./trades-request.ts";

const rows = 2_000_000;
const batchRows = 50_000;
const rounds = 3;

interface Trade {
  readonly name: string;
  readonly type: ArrowType;
  readonly nullable: boolean;
  readonly checks?: ColumnChecks;
  /** The values of a batch that begins with this row. */
  readonly values: (first: number) => readonly Uint8Array[];
}

/** Ten columns, each with its check: unique, pattern, two sets, five ranges, one not null. */
const trades: readonly Trade[] = [
  {
    name: "id",
    type: { kind: "int", bits: 64, signed: true },
    nullable: false,
    checks: { unique: true },
    values: (first) => longs((n) => first + n),
  },
  { name: "account", type: { kind: "string" }, nullable: false, checks: { pattern: "ACC[0-9]+" }, values: (first) => texts((n) => `ACC${((first + n) * 31) % 50_000}`) }, // prettier-ignore
  {
    name: "side",
    type: { kind: "string" },
    nullable: false,
    checks: { oneOf: ["BUY", "SELL"] },
    values: () => texts((n) => (n % 2 ? "BUY" : "SELL")),
  },
  { name: "venue", type: { kind: "string" }, nullable: false, checks: { oneOf: Array.from({ length: 40 }, (_, n) => `XNYS-${n}`) }, values: () => texts((n) => `XNYS-${n % 40}`) }, // prettier-ignore
  { name: "price", type: { kind: "decimal", precision: 12, scale: 4, bits: 128 }, nullable: true, checks: { min: "0", max: "99999.9999" }, values: (first) => decimals((n) => ((first + n) * 17) % 1_000_000) }, // prettier-ignore
  { name: "quantity", type: { kind: "int", bits: 32, signed: true }, nullable: true, checks: { min: "0", max: "100000" }, values: () => [bytes(Int32Array.from({ length: batchRows }, (_, n) => (n * 7) % 1000))] }, // prettier-ignore
  { name: "fee", type: { kind: "float", precision: 2 }, nullable: true, checks: { min: "0", max: "10" }, values: () => [bytes(Float64Array.from({ length: batchRows }, (_, n) => (n % 1000) / 100))] }, // prettier-ignore
  { name: "traded_at", type: { kind: "timestamp", unit: 2 }, nullable: true, checks: { min: "2020-01-01" }, values: (first) => longs((n) => 1.7e15 + first + n) }, // prettier-ignore
  { name: "settles_on", type: { kind: "date", unit: 0 }, nullable: true, checks: { min: "2020-01-01", max: "2099-12-31" }, values: () => [bytes(Int32Array.from({ length: batchRows }, (_, n) => 20_000 + (n % 30)))] }, // prettier-ignore
  { name: "lot", type: { kind: "int", bits: 64, signed: true }, nullable: false, values: (first) => longs((n) => (first + n) % 977) },
];

/**
 * Ten columns of 2 million rows to Parquet, and the same rows held against a contract with a check for each column; and both at once, as a
 * job has them. The best of three rounds, taken in turn.
 */
export async function benchContract(): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "casparian-bench-"));
  const sinks = createSinks({ baseDir: folder });
  const fields = trades.map(({ name, type, nullable }): ArrowField => ({ name, type, nullable, children: [], metadata: [] }));
  const schema: ArrowMessage = { kind: "schema", rows: 0, bytes: writeSchema({ fields, metadata: [] }) };
  const batches = Array.from({ length: rows / batchRows }, (_, batch) => batchFrom(fields, batch * batchRows));
  const columns = trades.map(({ name, type, nullable, checks }) => ({ name, type: typeName({ type, children: [] }), nullable, ...(checks && { checks }) })); // prettier-ignore
  const contract: Contract = { policy: "quarantine", rowsMax: null, shareMax: null, columns };
  const newScreen = (): Screen => createScreen({ contract, output: "trades", schema });
  const check = (screen: Screen, batch: ArrowMessage): ArrowMessage => {
    const { message, rejected } = screen.take(batch);
    if (message === null || rejected.length > 0) throw new Error(`a row was refused: ${JSON.stringify(rejected[0])}`);
    return message;
  };
  const write = async (screen: Screen | null): Promise<void> => {
    const writer = await sinks.forUri("parquet://out").open(tradesRequest("parquet://out", schema));
    for (const batch of batches) await writer.write(screen === null ? batch : check(screen, batch));
    await writer.stage();
    await writer.abort();
  };
  const times = { write: [] as number[], check: [] as number[], both: [] as number[] };
  await write(newScreen());
  for (let round = 0; round < rounds; round += 1) {
    times.write.push(await seconds(() => write(null)));
    const screen = newScreen();
    times.check.push(await seconds(async () => batches.forEach((batch) => check(screen, batch)))); // prettier-ignore
    times.both.push(await seconds(() => write(newScreen())));
  }
  await sinks.close();
  await rm(folder, { recursive: true });
  const [alone, checks, both] = [times.write, times.check, times.both].map((each) => Math.min(...each)) as [number, number, number];
  return [
    {
      name: `checks on 10 columns of ${rows / 1e6} million rows`,
      value: checks / alone,
      unit: "of the time of their Parquet write",
      target: 0.25,
      targetIs: "at most",
    },
    { name: "write with checks", value: both / alone, unit: "of the time without" },
    { name: "the write alone", value: alone, unit: "s" },
  ];
}

function batchFrom(fields: readonly ArrowField[], first: number): ArrowMessage {
  const columns = fields.map((field, index): Column => {
    const buffers = trades[index]!.values(first);
    return { field, length: batchRows, validity: null, buffers, children: [], dictionary: null };
  });
  return writeBatch(batchRows, columns);
}

function bytes(values: Int32Array | Float64Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer);
}

function longs(value: (row: number) => number): readonly Uint8Array[] {
  return [bytes(BigInt64Array.from({ length: batchRows }, (_, row) => BigInt(value(row))))];
}

function decimals(value: (row: number) => number): readonly Uint8Array[] {
  return [bytes(BigInt64Array.from({ length: 2 * batchRows }, (_, word) => (word % 2 === 0 ? BigInt(value(word / 2)) : 0n)))];
}

function texts(value: (row: number) => string): readonly Uint8Array[] {
  const all = Array.from({ length: batchRows }, (_, row) => value(row));
  const offsets = new Int32Array(batchRows + 1);
  for (const [row, text] of all.entries()) offsets[row + 1] = offsets[row]! + text.length;
  return [bytes(offsets), new Uint8Array(Buffer.from(all.join("")))];
}
