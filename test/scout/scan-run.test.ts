import { describe, expect, test } from "vitest";
import { isDatabaseTrouble } from "../../db/pool.ts";
import { scoutWorld } from "./fixture.ts";

const world = scoutWorld();
const field = world.openField;

describe("a scan", () => {
  test("has the source to itself", async () => {
    const { write, scan } = await field();
    for (let index = 0; index < 300; index += 1) write(`f${index}`, String(index));
    const reports = await Promise.all([scan(), scan(), scan(["f1"])]);
    expect(reports.map((report) => report.filesNew).toSorted((a, b) => a - b)).toEqual([0, expect.any(Number), expect.any(Number)]);
    expect(reports.reduce((sum, report) => sum + report.filesNew, 0)).toBe(300);
  });

  test("gives way when another process has the source", async () => {
    const { scan, source } = await field();
    const other = await world.db.connect();
    await other.query("select pg_advisory_lock(hashtextextended('casparian scan', $1::bigint))", [source.id]);
    await expect(scan()).rejects.toMatchObject({ code: "SCAN_UNDER_WAY" });
    other.release(true);
    expect(await scan()).toMatchObject({ filesSeen: 0 });
  });

  test("stops when it is cancelled, is on record as such, and the next one does its work", async () => {
    const { write, scan, record, source } = await field();
    for (let index = 0; index < 2_000; index += 1) write(`f${index}`, String(index));
    for (const step of ["walk", "compare", "hash"]) {
      const cancel = new AbortController();
      const onProgress = (progress: { step: string }) => {
        if (progress.step === step) cancel.abort(new Error("cancelled by a test"));
      };
      await expect(scan(null, { signal: cancel.signal, onProgress })).rejects.toThrow("cancelled by a test");
    }
    const { rows } = await world.db.query("select distinct state from cf_scan where source_id = $1", [source.id]);
    expect(rows).toEqual([{ state: "CANCELLED" }]);
    const done = await scan();
    expect(done.filesSeen).toBe(2_000);
    expect(await record()).toHaveLength(2_000);
  });

  test("goes on when Postgres drops its connection, once it is tried again", async () => {
    const { write, scan, record } = await field();
    for (let index = 0; index < 1_000; index += 1) write(`f${index}`, String(index));
    let cut = false;
    const onProgress = () => {
      if (cut) return;
      cut = true;
      void world.db.query(
        "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
      );
    };
    await expect(scan(null, { onProgress })).rejects.toSatisfy(isDatabaseTrouble);
    expect(await scan()).toMatchObject({ filesSeen: 1_000 });
    expect(await record()).toHaveLength(1_000);
  });

  test("with bounds gives up before hashing when there is more to do", async () => {
    const { write, scan, record } = await field();
    write("f", "12345");
    await expect(scan(["f"], { bounds: { files: 10, bytes: 4 } })).rejects.toMatchObject({ code: "SCAN_TOO_LARGE" });
    write("g", "1");
    await expect(scan(["f", "g"], { bounds: { files: 1, bytes: 100 } })).rejects.toMatchObject({ code: "SCAN_TOO_LARGE" });
    expect(await record()).toEqual([]);
    expect(await scan(["f", "g"], { bounds: { files: 2, bytes: 6 } })).toMatchObject({ filesNew: 2 });
  });
});
