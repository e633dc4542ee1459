import { afterAll, beforeAll, expect, test } from "vitest";
import { findSource, insertSource, listSources, setSourceState, updateSource, type SourceSettings } from "../../db/source-root.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const settings = { settleMs: 2_000, include: ["*.csv"], exclude: ["tmp/"] };

test("a source keeps what it was given", async () => {
  const added = await insertSource(database.db, { name: "drops", path: "/data/drops", ...settings });
  expect(added).toMatchObject({ name: "drops", path: "/data/drops", ...settings, state: "ACTIVE", createdAt: expect.any(Date) });
  expect(await findSource(database.db, "drops")).toEqual(added);
  expect(await findSource(database.db, "other")).toBeNull();
});

test("its settings can be changed", async () => {
  const { id } = (await insertSource(database.db, { name: "changing", path: "/c", ...settings }))!;
  const chosen: SourceSettings = {
    settleMs: 0,
    include: [],
    exclude: ["*.bak"],
    watch: "native",
    everyMs: null,
    cron: "0 6 * * *",
    jitterMs: 1_000,
    sizeBytesMin: 1,
    sizeBytesMax: 5_000_000_000,
    ageMsMax: 86_400_000,
    priority: -3,
    workerGroup: "nas",
    archives: true,
    snapshots: true,
    snapshotAgeMsMax: 1,
    snapshotCountMax: 2,
    snapshotBytesMax: 6_000_000_000,
  };
  await updateSource(database.db, id, chosen);
  expect(await findSource(database.db, "changing")).toMatchObject({ path: "/c", ...chosen });
});

test("a name belongs to one source in use, and is free again when that is removed", async () => {
  const first = (await insertSource(database.db, { name: "taken", path: "/1", ...settings }))!;
  expect(await insertSource(database.db, { name: "taken", path: "/2", ...settings })).toBeNull();
  await setSourceState(database.db, first.id, "PAUSED");
  expect(await insertSource(database.db, { name: "taken", path: "/2", ...settings })).toBeNull();
  await setSourceState(database.db, first.id, "REMOVED");
  expect(await findSource(database.db, "taken")).toMatchObject({ id: first.id, state: "REMOVED" });
  const second = await insertSource(database.db, { name: "taken", path: "/2", ...settings });
  expect(second).not.toBeNull();
  expect(await findSource(database.db, "taken")).toEqual(second);
});

test("removed sources are not listed, paused ones are", async () => {
  const added = await Promise.all(["z", "y", "x"].map((name) => insertSource(database.db, { name, path: `/${name}`, ...settings })));
  await setSourceState(database.db, added[0]!.id, "REMOVED");
  await setSourceState(database.db, added[1]!.id, "PAUSED");
  const listed = (await listSources(database.db)).filter(({ name }) => ["x", "y", "z"].includes(name));
  expect(listed.map(({ name, state }) => `${name} ${state}`)).toEqual(["x ACTIVE", "y PAUSED"]);
});
