import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeEach, expect, test } from "vitest";
import { pruneSnapshots } from "../../snapshots/prune.ts";
import { snapshotPath, type SnapshotStore } from "../../snapshots/store.ts";
import { copiesIn, removeStores, temporaryStore } from "../snapshots/store-fixture.ts";
import { zipFiles } from "../support/archives.ts";
import { sha256 } from "../support/sha256.ts";
import { archiveWorld } from "./archive-fixture.ts";
import { short, type Field } from "./fixture.ts";

/** Archives that are replaced when their version is on record, and before it is opened. */

const { world, field, members, watched, outbox, archives } = archiveWorld();
const [first, second, third] = [{ "a.csv": "A", "gone.csv": "G" }, { "a.csv": "A2", "b.csv": "B" }, { "a.csv": "A3" }].map(zipFiles);
let store: SnapshotStore;
beforeEach(async () => {
  store = await temporaryStore();
});
afterAll(removeStores);

/** Scans, and dies when it is about to open the first archive. */
async function scanAndDie(place: Field): Promise<void> {
  const dying = watched(() => {
    throw new Error("died here");
  });
  await expect(place.scan(null, { store, threads: dying.threads })).rejects.toThrow("died here");
}

test("with snapshots, each version is opened out of its copy, in order, although others have taken its place", async () => {
  const place = await field({ snapshots: true });
  place.write("drop.zip", first!);
  await scanAndDie(place);
  place.write("drop.zip", second!);
  await scanAndDie(place);
  place.write("drop.zip", third!);
  await place.scan(null, { store });
  expect(await archives(place)).toEqual(["drop.zip 1 OPENED 2", "drop.zip 2 OPENED 2", "drop.zip 3 OPENED 1"]);
  expect(await members(place)).toEqual([
    `drop.zip!/a.csv PRESENT 1:${short("A")} 2:${short("A2")} 3:${short("A3")}`,
    `drop.zip!/b.csv VANISHED 1:${short("B")}`,
    `drop.zip!/gone.csv VANISHED 1:${short("G")}`,
  ]);
  expect(await outbox(place)).toHaveLength(8);
  expect(await place.findings()).toEqual([]);
});

test("a copy stays, whatever the limits say, until its archive was opened", async () => {
  const place = await field({ snapshots: true, snapshotCountMax: 1 });
  place.write("drop.zip", first!);
  await scanAndDie(place);
  place.write("drop.zip", second!);
  await scanAndDie(place);
  await world.db.query("delete from cf_outbox");
  expect(await pruneSnapshots(world.db, store)).toMatchObject({ contents: 0, awaited: 1 });
  await place.scan(null, { store });
  expect(await archives(place)).toEqual(["drop.zip 1 OPENED 2", "drop.zip 2 OPENED 2"]);
  await world.db.query("delete from cf_outbox");
  await pruneSnapshots(world.db, store);
  expect(copiesIn(store)).toEqual([sha256(second!)]);
});

test("without a copy its members can't be known, which is a finding that stands until a further version is opened", async () => {
  const place = await field();
  place.write("drop.zip", first!);
  await scanAndDie(place);
  place.write("drop.zip", second!);
  expect(await place.scan()).toMatchObject({ filesChanged: 1, findings: 1 });
  expect(await archives(place)).toEqual(["drop.zip 1 REPLACED", "drop.zip 2 OPENED 2"]);
  expect(await members(place)).toEqual([`drop.zip!/a.csv PRESENT 1:${short("A2")}`, `drop.zip!/b.csv PRESENT 1:${short("B")}`]);
  expect(await message(place)).toMatch(/version 1 .* no copy of it is kept here.*not on record.*source set .* --snapshots/);
  expect(place.log.lines).toContainEqual(
    expect.objectContaining({ level: "warn", message: expect.stringContaining("replaced before") as string }),
  );
  expect(await place.scan()).toMatchObject({ findings: 1 });
  place.write("drop.zip", third!);
  expect(await place.scan()).toMatchObject({ findings: 0 });
});

test("the finding stands where the next version is refused, and goes with the archive", async () => {
  const place = await field();
  place.write("other.csv", "other");
  place.write("drop.zip", first!);
  await scanAndDie(place);
  place.write("drop.zip", Buffer.from("no archive"));
  await place.scan();
  expect(await place.findings()).toEqual(["ARCHIVE_MISSED drop.zip", "ARCHIVE_REFUSED drop.zip"]);
  rmSync(`${place.root}/drop.zip`);
  await place.scan();
  expect(await place.findings()).toEqual([]);
});

test.each([
  ["damaged", (path: string) => writeFileSync(path, "damaged", { mode: 0o600 }), /is of no use: it has 7 bytes/],
  ["gone", () => {}, /is of no use: it is not there/],
])("a copy that is %s is said to be", async (_what, damage, expected) => {
  const place = await field({ snapshots: true });
  place.write("drop.zip", first!);
  await scanAndDie(place);
  place.write("drop.zip", second!);
  const copy = snapshotPath(store.folder, sha256(first!));
  rmSync(copy);
  damage(copy);
  await place.scan(null, { store });
  expect(await archives(place)).toEqual(["drop.zip 1 REPLACED", "drop.zip 2 OPENED 2"]);
  expect(await message(place)).toMatch(expected);
});

async function message({ source }: Field): Promise<string> {
  const { rows } = await world.db.query<{ message: string }>(
    "select message from cf_scan_finding where source_id = $1 and kind = 'ARCHIVE_MISSED'",
    [source.id],
  );
  return rows.map((row) => row.message).join("\n");
}
