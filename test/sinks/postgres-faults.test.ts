import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { TransientFailure } from "../../domain/failure.ts";
import { startPostgres } from "../../services/postgres.ts";
import { createPostgresSink } from "../../sinks/postgres.ts";
import type { StagedOutput } from "../../sinks/sink.ts";
import { stateFolder } from "../support/state-folder.ts";
import { lineage, messagesOf, numbers, requestFor } from "./arrow.ts";
import { stageIn } from "./conformance.ts";
import { openPostgresKind, type PostgresKind } from "./postgres-target.ts";
import { patience } from "../support/patience.ts";

let kind: PostgresKind;
let sink: ReturnType<typeof createPostgresSink>;
let uri: string;
beforeAll(async () => {
  kind = await openPostgresKind();
  sink = createPostgresSink({});
});
afterAll(async () => {
  await sink.close();
  await kind.close();
});
beforeEach(() => {
  uri = kind.newUri();
});

test("a process that is killed while it writes leaves nothing, not even rows that nobody sees", async () => {
  const child = run("write-without-end.ts", uri);
  const lines = createInterface({ input: child.stdout });
  for (let batch = 0; batch < 8; batch += 1) await once(lines, "line");
  expect(await sessions()).toBeGreaterThan(0);
  await kill(child);
  await vi.waitFor(async () => expect(await sessions()).toBe(0), patience);
  expect(await kind.traces(uri)).toEqual([]);
  await sink.commit(await stageIn(sink, uri, numbers(10)));
  expect(await kind.read(uri)).toMatchObject({ rows: 10 });
});

interface Obstacle {
  /** That a result is there already, which is replaced. */
  readonly replaces: boolean;
  /** What another session does so that a commit waits within its transaction. */
  readonly sql: (staged: StagedOutput) => string;
}

const markerOfAnother = ({ staged }: StagedOutput): string =>
  `insert into _casparian.result values ('public', '${staged["table"]}', '${staged["result"]}', 'other', 'out', 0, 0)`;
const obstacles: Readonly<Record<string, Obstacle>> = {
  "before the replaced rows are deleted": { replaces: true, sql: () => `lock table ${tableOf(uri)} in share mode` },
  "after the rows are inserted, before the marker": { replaces: true, sql: markerOfAnother },
  "before the staged table is moved": {
    replaces: false,
    sql: ({ staged }) => `lock table _casparian."${staged["name"]}" in access share mode`,
  },
  "after the staged table is moved, before the marker": { replaces: false, sql: markerOfAnother },
};

test.each(Object.entries(obstacles))("a commit that is killed %s has had no effect, and can be repeated", async (_when, obstacle) => {
  const [first, second] = [await version(1, 10), await version(2, 5)];
  const replaced = obstacle.replaces ? [first] : [];
  for (const output of replaced) await sink.commit(output);
  const before = await kind.read(uri);
  const blocker = new Client({ connectionString: kind.url });
  await blocker.connect();
  await blocker.query("begin");
  await blocker.query(obstacle.sql(second));
  const child = run("commit-staged.ts", JSON.stringify(second), JSON.stringify(replaced));
  await vi.waitFor(async () => expect(await sessions("wait_event_type = 'Lock'")).toBe(1), patience);
  expect(await kind.read(uri)).toEqual(before);
  await kill(child);
  await blocker.query("rollback");
  await blocker.end();
  await vi.waitFor(async () => expect(await sessions("state = 'active'")).toBe(0), patience);
  // The server may have ended what it was told before it noticed that nobody listens: then all of it is there.
  expect([before.rows, 5]).toContain((await kind.read(uri)).rows);
  await sink.commit(second, replaced);
  expect(await kind.read(uri)).toEqual({ rows: 5, sum: 10, jobs: ["2"] });
  await sink.discard(first);
  expect(await kind.traces(uri)).toEqual([]);
});

test("several processes that commit the same result at once make it visible once", async () => {
  const [first, second] = [await version(1, 10), await version(2, 5)];
  await sink.commit(first);
  const children = Array.from({ length: 3 }, () => run("commit-staged.ts", JSON.stringify(second), JSON.stringify([first])));
  expect((await Promise.all(children)).map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
  expect(await kind.read(uri)).toEqual({ rows: 5, sum: 10, jobs: ["2"] });
});

test("results of many jobs that are committed to a new table at once are all there", async () => {
  const staged = await Promise.all(Array.from({ length: 12 }, (_, index) => version(index + 1, 10)));
  await Promise.all(staged.map((output) => sink.commit(output)));
  expect(await kind.read(uri)).toMatchObject({ rows: 120, sum: 540 });
});

test("a server that is stopped midway is a passing trouble: what was staged is there afterwards, and the next attempt works", async () => {
  const folder = await stateFolder();
  const first = await startPostgres({ stateDir: folder.path, log: folder.log });
  const own = createPostgresSink({});
  const before = process.env["PGPASSWORD"];
  try {
    const address = new URL(first.url);
    process.env["PGPASSWORD"] = decodeURIComponent(address.password);
    address.password = "";
    const target = `${address.href}?table=public.trades`;
    const staged = await stageIn(own, target, numbers(10));
    const { schema, messages } = messagesOf(numbers(200_000, 4));
    const writer = await own.open(requestFor(schema, { uri: target, attempt: 2, output: "other" }));
    await writer.write(messages[0]!);
    await first.stop();
    const rest = (async () => {
      for (const message of messages) await writer.write(message);
      await writer.stage();
    })();
    await expect(rest).rejects.toMatchObject({ code: "SINK_UNREACHABLE" });
    await expect(own.commit(staged)).rejects.toThrow(TransientFailure);
    const second = await startPostgres({ stateDir: folder.path, log: folder.log });
    try {
      await own.commit(staged);
      await own.commit(await stageIn(own, target, numbers(200_000, 4), { attempt: 3, output: "other" }));
      const reader = new Client({ connectionString: second.url });
      await reader.connect();
      const { rows } = await reader.query("select count(*)::integer as rows from trades");
      const { rows: left } = await reader.query("select name from _casparian.staging");
      await reader.end();
      expect([rows, left]).toEqual([[{ rows: 200_010 }], []]);
    } finally {
      await own.close();
      await second.stop();
    }
  } finally {
    process.env["PGPASSWORD"] = before;
    await first.stop();
    await folder.remove();
  }
});

function version(number: number, rows: number): Promise<StagedOutput> {
  return stageIn(sink, uri, numbers(rows), {
    mode: "replace",
    jobId: String(number),
    lineage: { ...lineage, jobId: String(number), fileVersionId: String(number) },
  });
}

function run(script: string, ...args: readonly string[]) {
  return execa(process.execPath, [join(import.meta.dirname, script), ...args], { reject: false, stderr: "inherit" });
}

async function kill(child: ReturnType<typeof run>): Promise<void> {
  child.kill("SIGKILL");
  expect((await child).signal).toBe("SIGKILL");
}

/** Connections of other processes' sinks to the database; ours are idle. */
async function sessions(condition = "state <> 'idle'"): Promise<number> {
  const found = await kind.query(
    `select count(*) from pg_stat_activity where datname = current_database() and application_name = 'casparian sink' and ${condition}`,
  );
  return Number(found[0]![0]);
}

function tableOf(target: string): string {
  return new URL(target).searchParams.get("table")!;
}
