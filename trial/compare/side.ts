import { createHash } from "node:crypto";
import { join } from "node:path";
import { createBatchReader } from "../../arrow/column.ts";
import { typeName } from "../../arrow/type.ts";
import type { ArrowMessage } from "../../domain/arrow.ts";
import type { ComparedColumn } from "../../domain/comparison.ts";
import type { RejectedRow } from "../../domain/contract.ts";
import type { RowKeeper } from "../taking.ts";
import { createSpill, type Spill, type SpillWriter } from "./spill.ts";

/** What one version of a plugin made of a file, on the disk. */
export interface Side {
  readonly outputs: ReadonlyMap<string, SideOutput>;
  /** Of the rows that were set aside, by output: the same for the same rows in any order. */
  readonly aside: ReadonlyMap<string, string>;
}

export interface SideOutput {
  readonly columns: readonly ComparedColumn[];
  /** Columns of floating-point numbers, which may differ by a tolerance. */
  readonly floats: ReadonlySet<string>;
  readonly rows: Spill;
}

/** Takes one version's rows into files below `folder`, which is there. */
export interface SideWriter {
  readonly keeper: RowKeeper;
  finish(): Promise<Side>;
  close(): Promise<void>;
}

export function createSideWriter(folder: string): SideWriter {
  const open = new Map<string, { readonly writer: SpillWriter; readonly schema: ArrowMessage }>();
  const aside = new Map<string, bigint>();
  return {
    keeper: {
      async open(output, schema) {
        const writer = await createSpill(join(folder, `${open.size}.rows`), schema);
        open.set(output, { writer, schema: { ...schema, bytes: new Uint8Array(schema.bytes) } });
      },
      message: (output, message) => open.get(output)!.writer.write(message),
      setAside(output, rows) {
        let sum = aside.get(output) ?? 0n;
        for (const row of rows) sum = BigInt.asUintN(128, sum + hashOf(row));
        aside.set(output, sum);
      },
    },
    async finish() {
      const outputs = new Map<string, SideOutput>();
      for (const [output, { writer, schema }] of open) outputs.set(output, { ...columnsOf(schema), rows: await writer.finish() });
      return { outputs, aside: new Map([...aside].map(([output, sum]) => [output, sum.toString(16)])) };
    },
    async close() {
      for (const { writer } of open.values()) await writer.close().catch(() => {});
    },
  };
}

/** A sum of these doesn't depend on the order, and counts a row that is there twice. */
function hashOf({ raw, reasons, origin }: RejectedRow): bigint {
  const digest = createHash("sha256").update(JSON.stringify([origin, raw, reasons.map(({ column, reason }) => [column, reason])]));
  return BigInt(`0x${digest.digest("hex").slice(0, 32)}`);
}

function columnsOf(schema: ArrowMessage): Pick<SideOutput, "columns" | "floats"> {
  const { fields } = createBatchReader(schema).schema;
  const names = distinctNames(fields.map(({ name }) => name));
  return {
    columns: fields.map((field, at) => ({ name: names[at]!, type: typeName(field) })),
    floats: new Set(fields.flatMap(({ type, dictionary }, at) => (type.kind === "float" && dictionary === undefined ? [names[at]!] : []))),
  };
}

/** Arrow lets columns have the same name. */
function distinctNames(names: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times === 1 ? name : `${name} (${times})`;
  });
}
