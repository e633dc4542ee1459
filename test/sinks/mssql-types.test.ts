import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createMssqlSink } from "../../sinks/mssql.ts";
import type { StagedOutput } from "../../sinks/sink.ts";
import type { BulkValue } from "../support/tds/bulk.ts";
import { testTools } from "../support/tools.ts";
import { messagesOf, requestFor } from "./arrow.ts";
import { openMssqlKind, type MssqlKind } from "./mssql-target.ts";

/** What goes over the wire, decoded by the stub of a server; no SQL Server has stored any of it. */
interface Case {
  readonly name: string;
  readonly type: string;
  readonly types?: readonly string[];
  readonly columns?: readonly (readonly Expected[])[];
  readonly refused?: string;
  readonly message?: string;
}
/** A text, or a value that is to be equal as JSON. */
type Expected = string | null | readonly ["json", unknown];

let folder: string;
let kind: MssqlKind;
let cases: readonly Case[];
let sink: ReturnType<typeof createMssqlSink>;
let loaded: { readonly types: readonly string[]; readonly rows: (readonly BulkValue[])[] };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-types-"));
  kind = await openMssqlKind({ discardsRows: true });
  kind.server.onRows = (columns, rows) => {
    loaded = { types: columns.map(({ type }) => type), rows: [...loaded.rows, ...rows] };
  };
  sink = createMssqlSink(kind);
  const { stdout } = await execa(testTools().environmentPython, [join(import.meta.dirname, "mssql_types.py"), "make", folder], {
    maxBuffer: 1e9,
  });
  cases = JSON.parse(stdout) as readonly Case[];
});
afterAll(async () => {
  await kind.close();
  await rm(folder, { recursive: true });
});

test("each value arrives as pyarrow gave it, type by type", async () => {
  const kept = cases.filter(({ refused }) => refused === undefined);
  expect(kept.length).toBeGreaterThan(150);
  for (const { name, types, columns } of kept) {
    const staged = await write(name);
    expect([name, staged.rowsWritten, staged.rowsReadBack]).toEqual([name, columns![0]!.length, columns![0]!.length]);
    expect([name, loaded.types]).toEqual([name, types]);
    for (const [index, expected] of columns!.entries()) {
      const found = loaded.rows.map((row, at) => comparable(row[index]!, types![index]!, expected[at]!));
      expect([name, index, found]).toEqual([name, index, expected]);
    }
  }
});

test("what would change is refused, by column and type or row, and leaves nothing", async () => {
  const refused = cases.filter((one) => one.refused !== undefined);
  expect(refused.length).toBeGreaterThan(40);
  const before = await kind.traces("");
  for (const { name, refused: code, message } of refused) {
    const failure = await write(name).then(
      () => null,
      (error: unknown) => error as Error & { readonly code: string; readonly hint: string },
    );
    expect([name, failure?.code, failure?.message]).toEqual([name, code, expect.stringContaining(message!)]);
    expect(failure?.message).toMatch(/column/);
    expect(failure?.hint).toMatch(/plugin|Yield/);
  }
  expect(await kind.traces("")).toEqual(before);
});

function comparable(value: BulkValue, type: string, expected: Expected): unknown {
  if (value === null) return null;
  if (Array.isArray(expected)) return ["json", JSON.parse(String(value)) as unknown];
  if (Buffer.isBuffer(value)) return value.toString("hex");
  if (type !== "real" && type !== "float") return String(value);
  const bits = Buffer.alloc(8);
  bits.writeDoubleBE(Number(value));
  return bits.toString("hex");
}

async function write(name: string): Promise<StagedOutput> {
  loaded = { types: [], rows: [] };
  const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
  const writer = await sink.open(requestFor(schema, { uri: `mssql://${name.replaceAll(/\W/g, "_")}` }));
  for (const message of messages) await writer.write(message);
  return writer.stage();
}
