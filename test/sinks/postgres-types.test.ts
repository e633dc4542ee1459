import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPostgresSink } from "../../sinks/postgres.ts";
import { testTools } from "../support/tools.ts";
import { messagesOf, requestFor } from "./arrow.ts";
import { openPostgresKind, type PostgresKind } from "./postgres-target.ts";

interface Case {
  readonly name: string;
  readonly type: string;
  readonly names: readonly string[];
  readonly types?: readonly string[];
  readonly columns?: readonly (readonly Expected[])[];
  readonly refused?: string;
  readonly message?: string;
}
/** A text; a number that is to be equal as a float; or a value that is to be equal as JSON. */
type Expected = string | null | readonly ["float", string] | readonly ["json", unknown];

let folder: string;
let kind: PostgresKind;
let cases: readonly Case[];
let sink: ReturnType<typeof createPostgresSink>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-types-"));
  kind = await openPostgresKind();
  sink = createPostgresSink({});
  const { stdout } = await execa(testTools().environmentPython, [join(import.meta.dirname, "postgres_types.py"), "make", folder]);
  cases = JSON.parse(stdout) as readonly Case[];
});
afterAll(async () => {
  await sink.close();
  await kind.close();
  await rm(folder, { recursive: true });
});

test("Postgres holds what pyarrow gave, type by type, as its own casts to text show", async () => {
  const kept = cases.filter(({ refused }) => refused === undefined);
  expect(kept.length).toBeGreaterThan(150);
  for (const { name, names, types, columns } of kept) {
    const staged = await write(name);
    expect([name, staged.rowsWritten, staged.rowsReadBack]).toEqual([name, columns![0]!.length, columns![0]!.length]);
    await sink.commit(staged);
    expect([name, (await columnsOf(name)).slice(0, names.length)]).toEqual([name, names.map((column, index) => [column, types![index]])]);
    for (const [index, column] of names.entries()) {
      const found = await kind.query(`select ${asText(column, types![index]!)} from public."${name}" order by ctid`);
      expect([name, column, found.map(([text], row) => comparable(text!, types![index]!, columns![index]![row]!))]).toEqual([
        name,
        column,
        columns![index],
      ]);
    }
  }
});

test("what would change is refused, by column and type or row", async () => {
  const refused = cases.filter((one) => one.refused !== undefined);
  expect(refused.length).toBeGreaterThan(10);
  for (const { name, refused: code, message } of refused) {
    const failure = await write(name).then(
      () => null,
      (error: unknown) => error as Error & { readonly code: string },
    );
    expect([name, failure?.code, failure?.message]).toEqual([name, code, expect.stringContaining(message!)]);
    expect(failure?.message).toMatch(/column ("c|3 )/);
    expect(await kind.traces("")).toEqual([]);
  }
});

/** SQL that shows a value of the type without loss and without regard to settings. */
function asText(column: string, type: string): string {
  const name = `"${column.replaceAll('"', '""')}"`;
  if (type.startsWith("numeric") && type.endsWith("[]")) return `${name}::text`;
  if (type === "jsonb" || type.endsWith("[]")) return `to_json(${name})::text`;
  if (type === "bytea") return `encode(${name}, 'hex')`;
  if (type === "date") return `(${name} - date '1970-01-01')::text`;
  if (type.startsWith("time")) return `(extract(epoch from ${name}) * 1000000)::numeric(40, 0)::text`;
  if (type !== "interval") return `${name}::text`;
  const parts = `extract(year from ${name}) * 12 + extract(month from ${name}), extract(day from ${name})`;
  const time = `extract(hour from ${name}) * 3600000000 + extract(minute from ${name}) * 60000000 + extract(microsecond from ${name})`;
  return `concat_ws(' ', ${parts}, (${time})::numeric(40, 0)) || case when ${name} is null then null else '' end`;
}

function comparable(text: string | null, type: string, expected: Expected): unknown {
  if (text === null) return null;
  if (type === "interval" && expected !== null && !expected.includes(" ")) return text.replace(/^0 0 /, "").trim();
  if (!Array.isArray(expected)) return text.trim();
  const [form, value] = expected as ["float" | "json", unknown];
  if (form === "json") return [form, JSON.parse(text)];
  const [found, given] = [Number(text), pythonNumber(String(value))].map(type === "real" ? Math.fround : Number);
  return Object.is(found, given) ? expected : [form, text];
}

function pythonNumber(text: string): number {
  return Number(text.replace("inf", "Infinity").replace("nan", "NaN"));
}

async function columnsOf(table: string) {
  return kind.query(
    `select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'public."${table}"'::regclass and attnum > 0 order by attnum`,
  );
}

async function write(name: string) {
  const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
  const writer = await sink.open(requestFor(schema, { uri: kind.newUri().replace(/table=.*/, `table=public.${name}`) }));
  for (const message of messages) await writer.write(message);
  return writer.stage();
}
