import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openDatabase } from "../../db/pool.ts";
import { holdHome } from "../../services/home-lock.ts";
import { startOf } from "../../services/orphan.ts";
import { startPostgres } from "../../services/postgres.ts";
import { startTemporal } from "../../services/temporal.ts";
import { stateFolder, type StateFolder } from "../support/state-folder.ts";
import { testTools } from "../support/tools.ts";
import { killHard, ownedBy, startOwner } from "./owned.ts";
import { patience } from "../support/patience.ts";

let folder: StateFolder;

beforeEach(async () => {
  folder = await stateFolder();
});

afterEach(() => folder.remove());

test("after kill -9 of their owner the next start stops what is left and goes on with the same data", async () => {
  const owner = startOwner(folder.path, testTools().temporal);
  const owned = await ownedBy(owner);
  const before = openDatabase(owned.postgres.url);
  await before.query("create table kept as select 'yes' as answer");
  await before.end();
  await killHard(owner);
  expect(startOf(owned.postgres.pid)).toBeDefined();
  expect(startOf(owned.temporal.pid)).toBeDefined();

  const lock = await holdHome(folder.path);
  const options = { stateDir: folder.path, log: folder.log };
  const [postgres, temporal] = await Promise.all([startPostgres(options), startTemporal({ ...options, binary: testTools().temporal })]);
  expect(startOf(owned.postgres.pid)).toBeUndefined();
  expect(startOf(owned.temporal.pid)).toBeUndefined();
  expect(folder.lines).toEqual(
    expect.arrayContaining([expect.stringContaining("database that an earlier run left"), expect.stringContaining("Temporal server that")]),
  );
  expect([postgres.url, temporal.address]).toEqual([owned.postgres.url, owned.temporal.address]);
  const after = openDatabase(postgres.url);
  expect((await after.query("select answer from kept")).rows).toEqual([{ answer: "yes" }]);
  await after.end();
  await Promise.all([postgres.stop(), temporal.stop()]);
  lock.release();
});

test("after kill -9 of everything the next start goes on", async () => {
  const owner = startOwner(folder.path, testTools().temporal);
  const owned = await ownedBy(owner);
  await killHard(owner);
  process.kill(owned.postgres.pid, "SIGKILL");
  process.kill(owned.temporal.pid, "SIGKILL");

  const options = { stateDir: folder.path, log: folder.log };
  const [postgres, temporal] = await Promise.all([startPostgres(options), startTemporal({ ...options, binary: testTools().temporal })]);
  expect([postgres.url, temporal.address]).toEqual([owned.postgres.url, owned.temporal.address]);
  await Promise.all([postgres.stop(), temporal.stop()]);
});

test("an owner that is killed while it makes the database leaves nothing that the next start trips over", async () => {
  const owner = startOwner(folder.path, testTools().temporal);
  const making = (): void => expect(readdirSync(folder.path).filter((name) => name.includes("half-made"))).toHaveLength(1);
  await vi.waitFor(making, patience);
  await killHard(owner);
  expect(existsSync(join(folder.path, "postgres"))).toBe(false);
  const postgres = await startPostgres({ stateDir: folder.path, log: folder.log });
  await postgres.stop();
});

test("services don't keep a program alive, and one that ends without stopping them takes them along", async () => {
  const owner = startOwner(folder.path, testTools().temporal, "leave");
  const exit = once(owner, "exit");
  const owned = await ownedBy(owner);
  expect(await exit).toEqual([0, null]);
  const gone = (): void => expect([startOf(owned.postgres.pid), startOf(owned.temporal.pid)]).toEqual([undefined, undefined]);
  await vi.waitFor(gone, patience);
});
