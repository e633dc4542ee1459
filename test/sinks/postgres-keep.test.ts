import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { noConnections } from "../../domain/connection.ts";
import { postgresAddress } from "../../sinks/postgres/address.ts";
import { exportRows } from "../../sinks/postgres/export.ts";
import { createServers } from "../../sinks/postgres/server.ts";
import { createPostgresSink } from "../../sinks/postgres.ts";
import type { StagedOutput } from "../../sinks/sink.ts";
import { patience } from "../support/patience.ts";
import { lineage, numbers, type requestFor } from "./arrow.ts";
import { stageIn } from "./conformance.ts";
import { openPostgresKind, type PostgresKind } from "./postgres-target.ts";

let kind: PostgresKind;
let sink: ReturnType<typeof createPostgresSink>;
let uri: string;
beforeAll(async () => {
  kind = await openPostgresKind({ keeps: true });
  sink = createPostgresSink({});
});
afterAll(async () => {
  await sink.close();
  await kind.close();
});
beforeEach(async () => {
  for (const name of await keptTables()) await kind.query(`drop table _casparian."${name}"`);
  uri = kind.newUri();
});

const version = (number: number, rows: number, changes: Parameters<typeof requestFor>[1] = {}): Promise<StagedOutput> =>
  stageIn(sink, uri, numbers(rows), {
    mode: "replace",
    jobId: String(number),
    lineage: { ...lineage, jobId: String(number), fileVersionId: String(number) },
    ...changes,
  });

async function keptTables(): Promise<readonly string[]> {
  const found = await kind.query(
    "select relname from pg_class where relnamespace = to_regnamespace('_casparian') and relname like 'replaced%' order by 1",
  );
  return found.map(([name]) => name!);
}

/** Rows by job in each table of what was kept. */
async function kept(): Promise<readonly (readonly (readonly (string | null)[])[])[]> {
  const tables = await keptTables();
  return Promise.all(
    tables.map((name) => kind.query(`select _cf_job_id, count(*), sum(n) from _casparian."${name}" group by 1 order by 1`)),
  );
}

test("a result and what has joined it go into one table when they are replaced, once, and the next that are into another", async () => {
  const first = await version(1, 10);
  const joined = await version(2, 3, { mode: "append", isJoining: true, lineage: { ...lineage, jobId: "2", fileVersionId: "1" } });
  const [second, third] = [await version(3, 5), await version(4, 2)];
  for (const staged of [first, joined]) await sink.commit(staged);
  expect(await kept()).toEqual([]);
  for (let time = 0; time < 3; time += 1) await sink.commit(second, [first, joined]);
  const before = [
    ["1", "10", "45"],
    ["2", "3", "3"],
  ];
  expect(await kept()).toEqual([before]);
  await sink.commit(third, [second]);
  expect(await kept()).toEqual([before, [["3", "5", "10"]]]);
  expect(await kind.read(uri)).toEqual({ rows: 2, sum: 1, jobs: ["4"] });
  expect(await sink.isCommitted(second)).toBe(false);
});

test("all that is overwritten is kept, and what the same job wrote is not touched", async () => {
  const earlier = [await version(1, 10, { mode: "append" }), await version(2, 5, { mode: "append", locationId: "8" })];
  for (const staged of earlier) await sink.commit(staged);
  const alone = [await version(3, 3, { mode: "overwrite" }), await version(3, 4, { mode: "overwrite", output: "other" })];
  for (const staged of [...alone, ...alone]) await sink.commit(staged, earlier);
  expect(await kept()).toEqual([
    [
      ["1", "10", "45"],
      ["2", "5", "10"],
    ],
  ]);
  await sink.commit(await version(4, 1, { mode: "overwrite" }), alone);
  expect((await kept()).flat()).toContainEqual(["3", "7", "9"]);
  expect(await kind.read(uri)).toEqual({ rows: 1, sum: 0, jobs: ["4"] });
});

test("what an earlier attempt of the same job made visible is not kept, and nothing is without the parameter", async () => {
  await sink.commit(await version(1, 10));
  const again = await version(1, 10, { attempt: 2 });
  await sink.commit(again);
  expect(await kept()).toEqual([]);
  const next = await version(2, 5, { uri: again.uri });
  expect(next.uri).toBe(again.uri);
  await sink.commit(next, [again]);
  expect(await kept()).toEqual([]);
  const last = await version(3, 4);
  await sink.commit(last, [next]);
  expect(await kept()).toEqual([[["2", "5", "10"]]]);
});

test("tables of what was kept may be dropped, also while results are replaced, and so may the target", async () => {
  const [first, second, third, fourth] = [await version(1, 10), await version(2, 5), await version(3, 4), await version(4, 3)];
  await sink.commit(first);
  await sink.commit(second, [first]);
  for (const name of await keptTables()) await kind.query(`drop table _casparian."${name}"`);
  await sink.commit(third, [second]);
  expect(await kept()).toEqual([[["2", "5", "10"]]]);
  await kind.query(`drop table ${tableOf(uri)}`);
  await sink.commit(fourth, [third]);
  expect(await kind.read(uri)).toEqual({ rows: 3, sum: 3, jobs: ["4"] });
  expect(await kept()).toEqual([[["2", "5", "10"]]]);
});

test("more tables of what was kept than one statement reads are copied, from one snapshot", async () => {
  const [first, second] = [await version(1, 10), await version(2, 5)];
  await sink.commit(first);
  await sink.commit(second, [first]);
  const [table] = await keptTables();
  await kind.query(`do $$ begin for i in 1001..1700 loop
    execute format('create table _casparian.replaced_by_%s as select n, _cf_source_hash, %s::bigint as _cf_job_id from _casparian."${table}"', i, i);
    insert into _casparian.result values ('_casparian', 'replaced_by_' || i, 'result', 'staged_' || i, 'out', i, 10);
  end loop; end $$`);
  const folder = await mkdtemp(join(tmpdir(), "casparian-kept-"));
  const servers = createServers(noConnections);
  try {
    const results = [first, second].map(({ staged }, index) => ({ jobId: String(index + 1), name: String(staged["name"]) }));
    for (let job = 1001; job <= 1700; job += 1) results.push({ jobId: String(job), name: `staged_${job}` });
    const found = await exportRows(servers.at(postgresAddress(uri)), {
      table: { schema: "public", name: tableOf(uri).split(".")[1]! },
      groups: [{ columns: ["n"], results }],
      pathOf: (number) => join(folder, String(number)),
      signal: new AbortController().signal,
      onBytes: () => {},
    });
    if (!("rows" in found)) throw new Error(JSON.stringify(found));
    expect(found.rows).toBe(15 + 700 * 10);
    const lines = await Promise.all(found.copied.map(async ({ path }) => (await readFile(path, "utf8")).trimEnd().split("\n").length - 1));
    expect(lines).toHaveLength(2);
    expect(lines.reduce((sum, count) => sum + count, 0)).toBe(found.rows);
  } finally {
    await servers.close();
    await rm(folder, { recursive: true });
  }
});

test.each([
  ["between keeping and deleting", () => `lock table ${tableOf(uri)} in share mode`],
  [
    "before its marker",
    ({ staged }: StagedOutput) =>
      `insert into _casparian.result values ('public', '${staged["table"]}', '${staged["result"]}', 'other', 'out', 0, 0)`,
  ],
])("a commit that is killed %s has kept nothing, and keeps it once when it is repeated", async (_when, obstacle) => {
  const [first, second] = [await version(1, 10), await version(2, 5)];
  await sink.commit(first);
  const blocker = new Client({ connectionString: kind.url });
  await blocker.connect();
  await blocker.query("begin");
  await blocker.query(obstacle(second));
  const script = join(import.meta.dirname, "commit-staged.ts");
  const child = execa(process.execPath, [script, JSON.stringify(second), JSON.stringify([first])], { reject: false, stderr: "inherit" });
  try {
    await vi.waitFor(async () => expect(await waiting()).toBe("1"), patience);
    expect(await keptTables()).toEqual([]);
    child.kill("SIGKILL");
    expect((await child).signal).toBe("SIGKILL");
  } finally {
    child.kill("SIGKILL");
    await blocker.query("rollback");
    await blocker.end();
  }
  await vi.waitFor(async () => expect(await waiting("state = 'active'")).toBe("0"), patience);
  await sink.commit(second, [first]);
  expect(await kind.read(uri)).toEqual({ rows: 5, sum: 10, jobs: ["2"] });
  expect(await kept()).toEqual([[["1", "10", "45"]]]);
});

async function waiting(condition = "wait_event_type = 'Lock'"): Promise<string> {
  const [row] = await kind.query(
    `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'casparian sink' and ${condition}`,
  );
  return row![0]!;
}

function tableOf(target: string): string {
  return new URL(target).searchParams.get("table")!;
}
