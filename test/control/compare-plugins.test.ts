import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { openComparisons, type CompareMeans, type CompareRequest, type Comparisons } from "../../control/compare-plugins.ts";
import { grantToPlugin } from "../../control/grant-plugin.ts";
import { listComparisons, showComparison } from "../../control/list-comparisons.ts";
import type { ComparisonRow } from "../../db/comparison.ts";
import { loadFileVersion } from "../../db/file-version.ts";
import { approveContract, insertContract } from "../../db/contract.ts";
import { createVersionBytes } from "../../workers/version-bytes.ts";
import { environmentRoot } from "../support/environment-root.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testTools } from "../support/tools.ts";

/** A version yields what a file says for it: for each output its columns, each with a type and values. One process of each serves all tests. */
const plugin = (side: string): string => `import json
import pyarrow as pa

class Handler:
    def execute(self, path):
        said = json.load(open(path))["${side}"]
        if isinstance(said, str):
            raise ValueError(said)
        for output, columns in said.items():
            yield output, pa.table({name: pa.array(values, eval("pa." + kind)) for name, (kind, values) in columns.items()})
`;

type Said = string | Readonly<Record<string, Readonly<Record<string, readonly [type: string, values: readonly unknown[]]>>>>;

let fixture: JobFixture;
let means: CompareMeans;
let comparisons: Comparisons;
beforeAll(async () => {
  fixture = await createJobFixture();
  await fixture.publish("p", plugin("before"), "*.json");
  await fixture.publish("p", plugin("after"), "*.json");
  means = {
    tools: testTools(),
    stateDir: dirname(environmentRoot),
    limits: { seconds: 60, memoryBytes: 2 ** 31, scratchBytes: 2 ** 30, logBytes: 2 ** 20 },
    trust: { trustedKeys: join(fixture.folder, "no-keys"), requireSignature: false },
    openBytes: await createVersionBytes(join(fixture.folder, "state")),
    log: quietLog,
    onProgress: () => {},
    signal: new AbortController().signal,
  };
  comparisons = await openComparisons(means);
});
afterAll(async () => {
  await comparisons?.close();
  await fixture?.[Symbol.asyncDispose]();
});

const context = () => ({ db: fixture.database.db, actor: "ann@desk", temporal: null });

/** NaN is no JSON; Python reads it all the same. */
async function record(name: string, before: Said, after: Said): Promise<string> {
  return fixture.record(name, JSON.stringify({ before, after }).replaceAll('"NaN"', "NaN"));
}

async function compare(on: string, request: Partial<CompareRequest> = {}): Promise<ComparisonRow> {
  const asked = { plugin: "p@2", against: "1", on, limit: 100, allVersions: false, key: [], tolerance: null, failFast: false, ...request };
  return comparisons.run(context(), asked);
}

test("the same rows in another order are the same, nulls and NaN as well; nothing goes to sinks or ledger, and the report is kept", async () => {
  const id = await record(
    "same.json",
    { out: { n: ["float64()", [1, "NaN", null, 1]], t: ["string()", ["a", "b", null, "a"]] } },
    { out: { n: ["float64()", [null, 1, 1, "NaN"]], t: ["string()", [null, "a", "a", "b"]] } },
  );
  const found = await compare("same.json");
  expect(found).toMatchObject({ verdict: "SAME", isComplete: true, filesCompared: 1, filesDifferent: 0, actor: "ann@desk" });
  expect(found.result.files).toMatchObject([{ versionId: id, outcome: "same", sequence: 1, outputs: [{ output: "out", same: 4 }] }]);
  expect(found.result.outputs).toMatchObject([{ same: 4, added: 0, removed: 0, rows: { before: 4, after: 4 }, examples: [] }]);
  expect(found.result.timing!.before).toBeGreaterThan(0);
  expect(await showComparison(context(), found.id)).toEqual(found);
  const { db } = fixture.database;
  const { rows } = await db.query("select (select count(*) from cf_processing_job) + (select count(*) from cf_job_output) as n");
  expect(rows).toEqual([{ n: "0" }]);
  expect(await readdir(fixture.folder)).not.toContain("output");
});

test("what is granted to the plugin is granted in a comparison", async () => {
  const codes = await mkdtemp(join(tmpdir(), "cf-codes-"));
  onTestFinished(() => rm(codes, { recursive: true, force: true }));
  await writeFile(join(codes, "codes.txt"), "A");
  const reads = (version: number): string => `class Handler:
    def execute(self, path):
        yield [{"code": open(${JSON.stringify(join(codes, "codes.txt"))}).read()}]  # ${version}
`;
  const versions: string[] = [];
  for (const version of [1, 2]) versions.push(await fixture.publish("granted", reads(version), "*.granted"));
  await fixture.record("a.granted", "");
  await grantToPlugin(context(), "granted", { read: [codes], hosts: [] }, join(fixture.folder, "state"));
  const { rows } = await fixture.database.db.query<{ version: string }>(
    "select version from cf_plugin_manifest where id = any ($1::bigint[]) order by id",
    [versions],
  );
  const [before, after] = rows.map(({ version }) => version);
  expect(await compare("a.granted", { plugin: `granted@${after}`, against: before! })).toMatchObject({ verdict: "SAME", filesCompared: 1 });
});

test("rows count as often as they are there, and each difference is shown with its place", async () => {
  await record(
    "rows.json",
    { out: { n: ["int64()", [1, 1, 2, 3]] }, gone: { a: ["int64()", [1]] } },
    { out: { n: ["int64()", [1, 2, 4, 4]] }, come: { a: ["int64()", []] } },
  );
  const { result, verdict } = await compare("rows.json");
  expect(verdict).toBe("DIFFERENT");
  const [out, gone, come] = result.outputs;
  expect(out).toMatchObject({ same: 2, removed: 2, added: 2, changed: 0, isKeyed: false });
  expect(out!.examples.map(({ kind, values }) => [kind, values[0]!.before ?? values[0]!.after])).toEqual([
    ["removed", "1"],
    ["removed", "3"],
    ["added", "4"],
    ["added", "4"],
  ]);
  expect(out!.examples.map(({ row }) => row.before ?? row.after)).toEqual([1, 4, 3, 3]);
  expect(gone).toMatchObject({ output: "gone", rows: { before: 1, after: null }, removed: 1 });
  expect(come).toMatchObject({ output: "come", rows: { before: null, after: 0 }, added: 0 });
});

test("columns that came, went or changed type are told, and what both have is compared by how it reads", async () => {
  await record(
    "columns.json",
    { out: { id: ["int32()", [1, 2]], old: ["string()", ["x", "y"]], day: ["string()", ["a", "b"]] } },
    { out: { day: ["string()", ["a", "b"]], id: ["int64()", [1, 2]], new: ["float64()", [1, 2]] } },
  );
  const { result } = await compare("columns.json");
  expect(result.verdict).toBe("DIFFERENT");
  expect(result.outputs).toMatchObject([
    {
      same: 2,
      added: 0,
      columnsAdded: [{ name: "new", type: "double" }],
      columnsRemoved: [{ name: "old", type: "string" }],
      columnsRetyped: [{ name: "id", types: { before: "int32", after: "int64" } }],
    },
  ]);
});

test("with a key changed rows are told from others, with the columns that differ, also where keys are null or there twice", async () => {
  await record(
    "keyed.json",
    {
      out: { id: ["int64()", [1, 2, 3, null, 5, 5]], v: ["string()", ["a", "b", "c", "d", "e", "f"]], w: ["int64()", [1, 1, 1, 1, 1, 1]] },
    },
    {
      out: { id: ["int64()", [2, 1, null, 4, 5, 5]], v: ["string()", ["b", "A", "D", "x", "e", "F"]], w: ["int64()", [1, 2, 1, 1, 1, 1]] },
    },
  );
  const keyed = (await compare("keyed.json", { key: ["id"] })).result.outputs[0]!;
  expect(keyed).toMatchObject({ isKeyed: true, same: 2, changed: 3, removed: 1, added: 1, keysRepeated: 1 });
  expect(keyed.changes).toEqual([
    { column: "v", rows: 3 },
    { column: "w", rows: 1 },
  ]);
  expect(keyed.examples[0]).toEqual({
    kind: "changed",
    path: "keyed.json",
    row: { before: 1, after: 2 },
    values: [
      { column: "id", before: "1", after: "1" },
      { column: "v", before: "a", after: "A" },
      { column: "w", before: "1", after: "2" },
    ],
  });
  // A key that the output lacks is said.
  expect((await compare("keyed.json", { key: ["nr"] })).result.outputs[0]).toMatchObject({ isKeyed: false, removed: 4, added: 4 });
});

test("floating-point numbers are compared exactly, or by a tolerance, with a key and without", async () => {
  await record(
    "floats.json",
    { out: { id: ["int64()", [1, 2, 3, 4]], x: ["float64()", [1, 1000, 0.1, "NaN"]] } },
    { out: { id: ["int64()", [4, 3, 2, 1]], x: ["float64()", ["NaN", 0.2, 1000.0001, 1.0000001]] } },
  );
  const of = async (request: Partial<CompareRequest>) => (await compare("floats.json", request)).result.outputs[0]!;
  expect(await of({})).toMatchObject({ same: 1, removed: 3, added: 3 });
  expect(await of({ tolerance: 1e-6 })).toMatchObject({ same: 3, removed: 1, added: 1 });
  expect(await of({ tolerance: 1e-6, key: ["id"] })).toMatchObject({ same: 3, changed: 1, changes: [{ column: "x", rows: 1 }] });
  expect((await compare("floats.json", { tolerance: 0.2 })).verdict).toBe("SAME");
});

test("a version that fails where the other does not is a difference; files on which both fail, or that are gone, are no proof", async () => {
  const out = { out: { n: ["int64()", [1]] } } as const;
  await record("fail-a.json", out, "no such column");
  await record("fail-b.json", "one", "two");
  await record("fail-c.json", out, out);
  await record("fail-d.json", out, out);
  await rm(join(fixture.folder, "in/fail-d.json"));
  const seen: string[] = [];
  const { result, ...summary } = await compare("fail-*.json", {});
  for (const { path, outcome } of result.files) seen.push(`${path} ${outcome}`);
  // Those that came last first.
  expect(seen).toEqual(["fail-d.json skipped", "fail-c.json same", "fail-b.json failed", "fail-a.json different"]);
  expect(summary).toMatchObject({ verdict: "DIFFERENT", filesCompared: 2, filesDifferent: 1, filesFailed: 1, filesSkipped: 1 });
  expect(result.files[0]!.reason).toBe("fail-d.json is no longer there");
  expect(result.files[3]!.failures).toMatchObject({
    before: null,
    after: { code: "PLUGIN_RAISED", message: expect.stringContaining("no such column") },
  });
  await expect(compare("fail-[bd].json")).rejects.toMatchObject({
    code: "NOTHING_COMPARED",
    message: expect.stringContaining("fail-d.json"),
  });
  const first = await compare("fail-[acd].json", { failFast: true, limit: 2 });
  expect(first).toMatchObject({ verdict: "SAME", isComplete: true });
});

test("with fail-fast the first file that differs ends it", async () => {
  const out = (n: number) => ({ out: { n: ["int64()", [n]] } }) as const;
  await record("fast-a.json", out(1), out(1));
  await record("fast-b.json", out(1), out(2));
  const { result, isComplete } = await compare("fast-?.json", { failFast: true });
  expect([isComplete, result.files.map(({ path }) => path)]).toEqual([false, ["fast-b.json"]]);
});

test("the bytes of a version are the file's while it has them, then those of its copy, else nobody has them", async () => {
  const { db } = fixture.database;
  const signal = new AbortController().signal;
  const id = await fixture.record("copied.txt", "as it was");
  const version = (await loadFileVersion(db, id))!;
  await appendFile(join(fixture.folder, "in/copied.txt"), " once");
  const reason = expect.stringContaining("no longer what version 1 recorded") as string;
  expect(await means.openBytes(db, version, signal)).toEqual({ reason });
  const copy = join(fixture.store.folder, version.contentHash.slice(0, 2), version.contentHash.slice(2));
  await mkdir(dirname(copy), { recursive: true });
  await writeFile(copy, "as it was");
  const opened = await means.openBytes(db, version, signal);
  if ("reason" in opened) throw new Error(opened.reason);
  await using bytes = opened;
  expect(await readFile(bytes.path, "utf8")).toBe("as it was");
  expect(await bytes.verify(signal)).toEqual({ same: true });
});

test("rows go past the contract in force, and what is set aside is compared by row and reason", async () => {
  const { db } = fixture.database;
  const column = { name: "n", type: "int64", nullable: true, checks: { max: "9" } };
  const contract = { plugin: "p", output: "held", columns: [column], policy: "quarantine", rowsMax: null, shareMax: null } as const;
  await approveContract(db, await insertContract(db, { ...contract, jobId: null, author: "ann" }));
  await record("aside.json", { held: { n: ["int64()", [1, 20]] } }, { held: { n: ["int64()", [20, 1]] } });
  await record("aside-2.json", { held: { n: ["int64()", [1, 20, 30]] } }, { held: { n: ["int64()", [1, 20, 31]] } });
  expect(await compare("aside.json")).toMatchObject({
    verdict: "SAME",
    result: { outputs: [{ same: 1, setAside: { before: 1, after: 1 } }] },
  });
  const { result } = await compare("aside-2.json");
  expect(result.outputs).toMatchObject([{ same: 1, added: 0, setAside: { before: 2, after: 2 }, isAsideSame: false }]);
  expect(result.outputs[0]!.reasons.after.map(({ rows, column: name }) => [rows, name])).toEqual([
    [1, "n"],
    [1, "n"],
  ]);
  expect(result.verdict).toBe("DIFFERENT");
});

test("what can't be compared is wrong use: itself, another plugin's version, files that are not on record", async () => {
  await expect(compare("same.json", { plugin: "p@1" })).rejects.toThrow("p 1 would be compared with itself");
  await expect(compare("same.json", { against: "q@1" })).rejects.toThrow("q@1 is not a version of p");
  await expect(compare("same.json", { plugin: "p@7" })).rejects.toThrow("plugin p has no version 7");
  await expect(compare("nothing.*")).rejects.toThrow("no file on record matches nothing.*");
  // Without a glob, what the rules take.
  const { result } = await comparisons.run(context(), {
    ...{ plugin: "p", against: "p@1", on: null, limit: 1, allVersions: false, key: [], tolerance: null, failFast: false },
  });
  expect(result.files.map(({ path }) => path)).toEqual(["aside-2.json"]);
});

test("an interrupted comparison leaves no folder and no report", async () => {
  // Others compare at the same time.
  const temporary = await mkdtemp(join(tmpdir(), "cf-own-"));
  vi.stubEnv("TMPDIR", temporary);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(temporary, { recursive: true, force: true });
  });
  const stopping = new AbortController();
  const openBytes: CompareMeans["openBytes"] = async (...given) => {
    const opened = await means.openBytes(...given);
    stopping.abort(new Error("stopped by hand"));
    return opened;
  };
  const own = await openComparisons({ ...means, openBytes, signal: stopping.signal });
  const asked = { plugin: "p@2", against: "1", on: "same.json", limit: 100, allVersions: false, key: [], tolerance: null, failFast: false };
  const reports = async () => (await listComparisons(context(), "p", 1_000)).length;
  const before = await reports();
  const running = own.run(context(), asked);
  await expect(running).rejects.toThrow("stopped by hand");
  await own.close();
  expect(await readdir(temporary)).toEqual([]);
  expect(await reports()).toBe(before);
});
