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
import { describeKeeping, keeping, type KeepingTarget, type KeptRows } from "./kept-rows.ts";
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
  for (const table of await keptTables()) await drop(table);
  uri = kind.newUri();
});

async function keptTables(): Promise<readonly string[]> {
  const found = await kind.query(
    "select relname from pg_class where relnamespace = to_regnamespace('_casparian') and relname like 'replaced%' order by 1",
  );
  return found.map(([name]) => name!);
}

async function drop(table: string): Promise<void> {
  await kind.query(`drop table _casparian."${table}"`);
}

const target = (): KeepingTarget => ({
  sink,
  uri,
  read: () => kind.read(uri),
  keptTables,
  rowsOf: async (table) => {
    const rows = await kind.query(`select _cf_job_id, count(*), sum(n) from _casparian."${table}" group by 1 order by 1`);
    return rows.map((row) => row.map(Number) as unknown as KeptRows);
  },
  drop,
});
const { version, kept } = keeping(target);

describeKeeping(target);

test("the target may be dropped, and what was kept stays", async () => {
  const [first, second, third] = [await version(1, 10), await version(2, 5), await version(3, 3)];
  await sink.commit(first);
  await sink.commit(second, [first]);
  await kind.query(`drop table ${tableOf(uri)}`);
  await sink.commit(third, [second]);
  expect(await kind.read(uri)).toEqual({ rows: 3, sum: 3, jobs: ["3"] });
  expect(await kept()).toEqual([[[1, 10, 45]]]);
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
  expect(await kept()).toEqual([[[1, 10, 45]]]);
});

async function waiting(condition = "wait_event_type = 'Lock'"): Promise<string> {
  const [row] = await kind.query(
    `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'casparian sink' and ${condition}`,
  );
  return row![0]!;
}

function tableOf(url: string): string {
  return new URL(url).searchParams.get("table")!;
}
