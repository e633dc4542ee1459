import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createDuckdbSink } from "../../sinks/duckdb.ts";
import { openDuckdbKind, type DuckdbKind } from "./duckdb-target.ts";
import { describeKeeping, keeping, type KeepingTarget, type KeptRows } from "./kept-rows.ts";

let kind: DuckdbKind;
let sink: ReturnType<typeof createDuckdbSink>;
let uri: string;
beforeAll(async () => {
  kind = await openDuckdbKind({ keeps: true });
  sink = createDuckdbSink({ baseDir: kind.baseDir });
});
afterAll(async () => {
  await sink.close();
  await kind.close();
});
beforeEach(() => {
  // Absolute, because other processes use it.
  uri = kind.newUri().replace("duckdb://", `duckdb://${kind.baseDir}/`);
});

const target = (): KeepingTarget => ({
  sink,
  uri,
  read: () => kind.read(uri),
  async keptTables() {
    const sql = "select table_name from duckdb_tables() where schema_name = '_casparian' and table_name <> 'result' order by 1";
    const found = (await kind.query(kind.pathOf(uri), sql)) as readonly (readonly [string])[];
    return found.map(([name]) => name);
  },
  rowsOf: async (table) =>
    (await kind.query(
      kind.pathOf(uri),
      `select _cf_job_id, count(*), sum(n)::bigint from _casparian."${table}" group by _cf_job_id order by _cf_job_id`,
    )) as readonly KeptRows[],
  drop: async (table) => void (await kind.change(kind.pathOf(uri), `drop table _casparian."${table}"`)),
});
const { version, kept } = keeping(target);

describeKeeping(target);

test("a commit that is killed at any moment has kept what it replaced, or has not and left it, and can be repeated", async () => {
  const rows = 100_000;
  let present = await version(1, rows + 1);
  await sink.commit(present);
  const script = join(import.meta.dirname, "commit-staged.ts");
  for (let number = 2; number <= 4; number += 1) {
    const next = await version(number, rows + number);
    const child = execa(process.execPath, [script, JSON.stringify(next), JSON.stringify([present])], { reject: false, stderr: "inherit" });
    try {
      await once(createInterface({ input: child.stdout }), "line");
      // At various moments: whatever they hit, the same must hold.
      await sleep(150 * (number - 2));
    } finally {
      child.kill("SIGKILL");
      await child;
    }
    const { jobs } = await kind.read(uri);
    expect((await target().keptTables()).length).toBe(jobs[0] === String(number) ? number - 1 : number - 2);
    await sink.commit(next, [present]);
    expect(await kind.read(uri)).toMatchObject({ rows: rows + number, jobs: [String(number)] });
    present = next;
  }
  expect((await kept()).map((found) => found.map(([job, count]) => [job, count]))).toEqual([1, 2, 3].map((job) => [[job, rows + job]]));
});
