import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBatchReader } from "../../arrow/column.ts";
import { jsonReader, textReader } from "../../arrow/text.ts";
import type { OpenRequest, StagedOutput } from "../../sinks/sink.ts";
import { createTextSinks } from "../../sinks/text.ts";
import { runPython } from "../support/python.ts";
import { lineage, messagesOf, numbers, requestFor } from "./arrow.ts";
import { patience } from "../support/patience.ts";

type Scheme = "csv" | "jsonl";
const schemes = ["csv", "jsonl"] as const;
const end = `${"a".repeat(64)},9007199254740993,12,2026-01-02T03:04:05.678000Z,trades@1.2.3\n`;
let baseDir: string;
let sinks: ReturnType<typeof createTextSinks>;
let outputs = 0;

beforeAll(async () => {
  baseDir = await mkdtemp(join(tmpdir(), "casparian-text-"));
  sinks = createTextSinks({ baseDir });
});
afterAll(async () => {
  await sinks.close();
  await rm(baseDir, { recursive: true });
});

describe("how rows look", () => {
  test("in CSV: a header, null as nothing, the empty string and what needs it in quotation marks", async () => {
    const stream = await arrow(`pa.table({
      "a,b": ["x", None, "", 'say "hi"', "two\\nlines", "cr\\r", "=1+2", " padded ", "a\\x00b", "é€𝄞", "NULL"],
      "n": [1, None, -3, 4, 5, 6, 7, 8, 9, 10, 2**63 - 1],
      "d": [[1, None], None, [], [2], [2], [2], [2], [2], [2], [2], [2]]})`);
    const staged = await stage("csv", stream);
    expect(staged).toMatchObject({ rowsWritten: 11, rowsReadBack: 11 });
    await sinks.csv.commit(staged);
    const rows = [
      `x,1,"[1,null]",`,
      `,,,`,
      `"",-3,[],`,
      `"say ""hi""",4,[2],`,
      `"two\nlines",5,[2],`,
      `"cr\r",6,[2],`,
      `=1+2,7,[2],`,
      ` padded ,8,[2],`,
      `a\0b,9,[2],`,
      `é€𝄞,10,[2],`,
      `NULL,9223372036854775807,[2],`,
    ];
    const header = `"a,b",n,d,_cf_source_hash,_cf_job_id,_cf_file_version_id,_cf_processed_at,_cf_plugin_version\n`;
    expect(await readFile(staged.target, "utf8")).toBe(header + rows.map((row) => row + end).join(""));
  });

  test("in JSON Lines: an object a line, in the order of the columns", async () => {
    const stream = await arrow(`pa.table({"a": ['say "hi"\\n\\x01', None, ""], "n": [1.5, float("nan"), None]})`);
    const staged = await stage("jsonl", stream);
    await sinks.jsonl.commit(staged);
    const last = `"_cf_source_hash":"${"a".repeat(64)}","_cf_job_id":9007199254740993,"_cf_file_version_id":12,"_cf_processed_at":"2026-01-02T03:04:05.678000Z","_cf_plugin_version":"trades@1.2.3"}`;
    const rows = [String.raw`{"a":"say \"hi\"\n\u0001","n":1.5,`, `{"a":null,"n":"NaN",`, `{"a":"","n":null,`];
    expect(await readFile(staged.target, "utf8")).toBe(rows.map((row) => `${row}${last}\n`).join(""));
  });

  test("without rows: a header, and nothing at all", async () => {
    const [csv, jsonl] = [await stage("csv", numbers(0)), await stage("jsonl", numbers(0))];
    await sinks.csv.commit(csv);
    await sinks.jsonl.commit(jsonl);
    expect(await readFile(csv.target, "utf8")).toBe(
      "n,_cf_source_hash,_cf_job_id,_cf_file_version_id,_cf_processed_at,_cf_plugin_version\n",
    );
    expect(await readFile(jsonl.target, "utf8")).toBe("");
  });

  test("names are those of the columns, be they reserved, of another case, or hard to write", async () => {
    const names = ["select", "Select", "", "\uFEFFbom", 'q"q', "a\nb", "c\r", "_cf_other"];
    const table = tableToIPC(tableFromArrays(Object.fromEntries(names.map((name) => [name, Int32Array.of(1)]))), "stream");
    const [csv, jsonl] = [await stage("csv", table), await stage("jsonl", table)];
    for (const staged of [csv, jsonl]) await sinks[staged === csv ? "csv" : "jsonl"].commit(staged);
    const object = JSON.parse(await readFile(jsonl.target, "utf8")) as object;
    expect(Object.keys(object).slice(0, names.length)).toEqual(names);
    const script = `import csv, json, sys\nprint(json.dumps(list(csv.reader(open(sys.argv[1], newline="", encoding="utf-8")))[0]))`;
    expect((JSON.parse(await runPython(script, [csv.target])) as string[]).slice(0, names.length)).toEqual(names);
  });
});

test("the fast ways of writing values give the same text as the exact ones", async () => {
  const stream = await arrow(`(lambda r, n: pa.table({
    "i64": r.integers(-2**63, 2**63 - 1, n), "small": r.integers(-2**53 - 9, -2**53 + 9, n), "u64": r.integers(0, 2**64 - 1, n, np.uint64),
    "digits": pa.array([s * (10**d + o) for d in range(19) for o in (-1, 0, 1) for s in (1, -1)] * (n // 114 + 1))[:n],
    "money": r.integers(-10**15, 10**15, n) / 100, "f": r.normal(size=n), "wide": r.normal(size=n) * 10.0 ** r.integers(-30, 30, n),
    "f32": r.normal(size=n).astype(np.float32), "step": np.round(r.normal(size=n), 4),
    **{"t" + u: pa.array(r.integers(-2**62, 2**62, n), pa.timestamp(u)) for u in ("s", "ms", "us", "ns")},
    **{"n" + u: pa.array(r.integers(-10**10, 10**10, n) * k, pa.timestamp(u, "UTC")) for u, k in (("s", 1), ("ms", 999), ("us", 999_999), ("ns", 899_999_999))},
    "days": pa.array(r.integers(-800_000, 3_000_000, n).astype(np.int32), pa.date32()), "ms": pa.array(r.integers(-10**14, 10**14, n) // 86400000 * 86400000, pa.date64()),
    "time": pa.array(r.integers(0, 86_400_000_000_000, n), pa.time64("ns")),
    **{f"d{b}": pa.array(r.integers(-10**8, 10**8, n)).cast(pa.int32()).cast(getattr(pa, f"decimal{b}")(18 if b > 32 else 9, 0)).view(getattr(pa, f"decimal{b}")(18 if b > 32 else 9, 4)) for b in (64, 128, 256)},
    "large": pa.array([D(int(x)) * 10**19 for x in r.integers(-10**18, 10**18, n)], pa.decimal128(38, 0)),
  }))(np.random.default_rng(5), 3000)`);
  const { schema, messages } = messagesOf(stream);
  const reader = createBatchReader(schema);
  const batches = messages.map((message) => reader.read(message)).filter((batch) => batch !== null);
  for (const scheme of schemes) {
    const staged = await stage(scheme, stream);
    await sinks[scheme].commit(staged);
    const lines = (await readFile(staged.target, "utf8")).split("\n").slice(scheme === "csv" ? 1 : 0, -1);
    const wanted = batches.flatMap(({ rows, columns }) => {
      const readers = columns.map((column) => (scheme === "csv" ? textReader(column) : jsonReader(column)));
      return Array.from({ length: rows }, (_, row) =>
        scheme === "csv"
          ? `${readers.map((read) => read(row)).join(",")},`
          : `{${readers.map((read, index) => `"${columns[index]!.field.name}":${read(row)}`).join(",")},`,
      );
    });
    expect(lines.length).toBe(3000);
    expect(lines.findIndex((line, index) => !line.startsWith(wanted[index]!))).toBe(-1);
  }
});

describe("large outputs", () => {
  test("2,000 columns, and strings of a megabyte", async () => {
    const wide = `pa.table({f"c{i}": [i, None] if i % 2 else [str(i), ""] for i in range(2000)})`;
    const long = `pa.table({"a": ["x" * 1_000_000, 'q"' * 500_000, None, ""] * 3})`;
    const script = `
import csv, json, sys
csv.field_size_limit(10**8)
print(json.dumps([[len(row), len(row[0]), row[1], row[-6]] for row in csv.reader(open(sys.argv[1], newline=""))]))
print(json.dumps([[len(row), row.get("a") and len(row["a"])] for row in map(json.loads, open(sys.argv[2]))]))`;
    const found = [];
    for (const table of [wide, long]) {
      const stream = await arrow(table);
      const [csv, jsonl] = [await stage("csv", stream), await stage("jsonl", stream)];
      await sinks.csv.commit(csv);
      await sinks.jsonl.commit(jsonl);
      const stdout = await runPython(script, [csv.target, jsonl.target]);
      found.push(stdout.split("\n").map((line) => JSON.parse(line) as unknown[][]));
    }
    const [[wideCsv, wideJson], [longCsv, longJson]] = found as [unknown[][][], unknown[][][]];
    expect(wideCsv!.map(([columns, , second]) => [columns, second])).toEqual([[2005, "c1"], [2005, "1"], [2005, ""]]); // prettier-ignore
    expect(wideJson!.map(([columns]) => columns)).toEqual([2005, 2005]);
    expect(longCsv!.slice(1).map(([, length]) => length)).toEqual([1_000_000, 1_000_000, 0, 0, 1_000_000, 1_000_000, 0, 0, 1_000_000, 1_000_000, 0, 0]); // prettier-ignore
    expect(longJson!.slice(0, 4).map(([, length]) => length)).toEqual([1_000_000, 1_000_000, null, ""]);
  });

  test.each(schemes)("%s takes no more memory for a larger one", async (scheme) => {
    const stream = join(baseDir, "memory.arrows");
    await writeFile(stream, numbers(250_000));
    // 4 and 50 MB of Arrow, some thirty times as much as lines of JSON; one file at a time, because each is large.
    const small = await writeMuch(scheme, stream, 1);
    const large = await writeMuch(scheme, stream, 8);
    expect([small.rows, large.rows]).toEqual([250_000, 2_000_000]);
    expect(large.peakBytes).toBeLessThan(320 * 1024 * 1024);
    expect(large.peakBytes - small.peakBytes).toBeLessThan(80 * 1024 * 1024);
  });
});

describe("what is refused", () => {
  test.each(schemes)("%s: no columns, and names that can't be told from others", async (scheme) => {
    await expect(stage(scheme, tableToIPC(tableFromArrays({}), "stream"))).rejects.toMatchObject({ code: "SINK_COLUMNS" });
    const twice = `pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])`;
    await expect(stage(scheme, await arrow(twice))).rejects.toThrow(`two columns of the output are named "a"`);
    const nested = `pa.table({"s": pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])})`;
    await expect(stage(scheme, await arrow(nested))).rejects.toThrow(`two fields of column "s" are named "a"`);
  });

  test.each(schemes)("%s: bytes that are no UTF-8, by column, and nothing is left", async (scheme) => {
    const uri = newUri(scheme);
    const bytes = `pa.table({"good": ["a", "b"], "bad": pa.array([b"x", b"\\xff"]).view(pa.string())})`;
    const failing = stage(scheme, await arrow(bytes), { uri });
    await expect(failing).rejects.toMatchObject({ code: "SINK_VALUE" });
    await expect(failing).rejects.toThrow(`column "bad" of type string holds bytes that are no UTF-8, in row 1`);
    expect(await readdir(folderOf(uri), { recursive: true })).toEqual([]);
    const nested = `pa.table({"l": pa.ListArray.from_arrays([0, 1], pa.array([b"\\xff"]).view(pa.string()))})`;
    await expect(stage(scheme, await arrow(nested))).rejects.toThrow(`column "item" of type string holds bytes that are no UTF-8`);
  });

  test("a disk without room, in its words, and nothing is left", async () => {
    for (const scheme of schemes) {
      const stream = join(baseDir, "room.arrows");
      const folder = await mkdtemp(join(baseDir, "no-room-"));
      await writeFile(stream, numbers(50_000));
      const program = [process.execPath, join(import.meta.dirname, "write-much.ts"), folder, stream, "9", scheme];
      const { stdout } = await execa("sh", ["-c", `ulimit -f 2000; exec "$@"`, "sh", ...program]);
      expect(JSON.parse(stdout)).toMatchObject({ code: "SINK_REFUSED", message: expect.stringContaining("EFBIG: file too large") });
      expect(await readdir(folder, { recursive: true })).toEqual(["out"]);
    }
  });
});

test.each(schemes)("%s: what a process leaves that is killed while it writes is never seen, and is swept", async (scheme) => {
  const folder = await mkdtemp(join(baseDir, "killed-"));
  const stream = join(folder, "numbers.arrows");
  await writeFile(stream, numbers(50_000));
  const program = join(import.meta.dirname, "write-much.ts");
  const child = execa(process.execPath, [program, folder, stream, "1000000", scheme], { reject: false });
  const staging = join(folder, "out/_casparian_staging");
  await expect.poll(() => bytesBelow(staging), patience).toBeGreaterThan(8 * 1024 * 1024);
  child.kill("SIGKILL");
  expect((await child).signal).toBe("SIGKILL");
  expect(await readdir(join(folder, "out"))).toEqual(["_casparian_staging"]);
  const others = createTextSinks({ baseDir: folder });
  expect(await others[scheme].sweep(`${scheme}://out`, async () => false)).toHaveLength(1);
  expect(await readdir(join(folder, "out"))).toEqual([]);
  await others.close();
});

describe.each(schemes)("a commit of %s", (scheme) => {
  const sink = () => sinks[scheme];

  test("never touches a file that is not a result of the same file and plugin", async () => {
    const staged = await stage(scheme, numbers(3));
    await writeFile(staged.target, "a,user's,file\n");
    await expect(sink().commit(staged)).rejects.toMatchObject({ code: "SINK_TARGET_TAKEN" });
    expect(await readFile(staged.target, "utf8")).toBe("a,user's,file\n");
    await rm(staged.target);
    // Of another job, whose result has the same name.
    const other = await stage(scheme, numbers(3), { uri: staged.uri, lineage: { ...lineage, jobId: "5" } });
    await sink().commit(other);
    await expect(sink().commit(staged)).rejects.toMatchObject({ code: "SINK_TARGET_TAKEN" });
    expect(await sink().isCommitted(other)).toBe(true);
  });

  test("takes the place of what an earlier attempt left, and tells the two apart", async () => {
    const first = await stage(scheme, numbers(3));
    await sink().commit(first);
    const later = { ...lineage, processedAt: new Date("2026-01-02T03:04:06Z") };
    const again = await stage(scheme, numbers(3), { uri: first.uri, attempt: 2, lineage: later });
    expect(again.target).toBe(first.target);
    expect([await sink().isCommitted(first), await sink().isCommitted(again)]).toEqual([true, false]);
    await sink().commit(again);
    expect([await sink().isCommitted(first), await sink().isCommitted(again)]).toEqual([false, true]);
    await expect(sink().commit(first)).rejects.toMatchObject({ code: "STAGED_LOST" });
  });

  test("says so when what was staged is gone, or is another file", async () => {
    const staged = await stage(scheme, numbers(1000));
    const path = join(dirname(staged.target), "_casparian_staging", String(staged.staged["name"]));
    await truncate(path, staged.sizeBytes - 1);
    await expect(sink().commit(staged)).rejects.toMatchObject({ code: "STAGED_LOST" });
    await rm(path);
    await expect(sink().commit(staged)).rejects.toMatchObject({ code: "STAGED_LOST" });
    const later = { ...lineage, processedAt: new Date("2026-01-02T03:04:06Z") };
    await sink().commit(await stage(scheme, numbers(1000), { uri: staged.uri, attempt: 2, lineage: later }));
    await expect(sink().commit(staged)).rejects.toMatchObject({ code: "STAGED_LOST" });
    await expect(sink().commit({ ...staged, staged: {} })).rejects.toMatchObject({ code: "STAGED_LOST" });
  });

  test("knows two results without rows apart, by when they were written", async () => {
    const [first, second] = [await stage(scheme, numbers(0)), await stage(scheme, numbers(0))];
    const path = join(dirname(second.target), "_casparian_staging", String(second.staged["name"]));
    await sink().commit(first);
    expect(await sink().isCommitted(first)).toBe(true);
    await rm(path);
    await utimes(first.target, 1, 1);
    expect(await sink().isCommitted(first)).toBe(false);
  });
});

function newUri(scheme: Scheme): string {
  return `${scheme}://outputs/${++outputs}`;
}

async function bytesBelow(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function folderOf(uri: string): string {
  return join(baseDir, uri.slice(uri.indexOf("://") + 3));
}

async function stage(scheme: Scheme, stream: Uint8Array, changes: Partial<OpenRequest> = {}): Promise<StagedOutput> {
  const { schema, messages } = messagesOf(stream);
  const writer = await sinks[scheme].open(requestFor(schema, { uri: newUri(scheme), ...changes }));
  for (const message of messages) await writer.write(message);
  return writer.stage();
}

/** The stream of a table that apache-arrow can't make. */
async function arrow(table: string): Promise<Uint8Array> {
  const path = join(baseDir, "table.arrows");
  const script = `
import numpy as np, pyarrow as pa
from decimal import Decimal as D
table = ${table.replaceAll(/\n\s*/g, " ")}
with pa.OSFile(r"${path}", "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
    writer.write_table(table)`;
  await runPython(script);
  return readFile(path);
}

async function writeMuch(scheme: Scheme, stream: string, times: number): Promise<{ readonly rows: number; readonly peakBytes: number }> {
  const folder = await mkdtemp(join(baseDir, "much-"));
  const program = join(import.meta.dirname, "write-much.ts");
  const { stdout } = await execa(process.execPath, [program, folder, stream, String(times), scheme]);
  await rm(folder, { recursive: true });
  return JSON.parse(stdout) as { rows: number; peakBytes: number };
}
