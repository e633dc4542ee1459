import { rmSync } from "node:fs";
import { afterAll, beforeEach, expect, test } from "vitest";
import { addSource } from "../../control/add-source.ts";
import { transaction } from "../../db/pool.ts";
import { alone, forgetSnapshot, insertSnapshots, keepStore } from "../../db/snapshot.ts";
import { findSource } from "../../db/source-root.ts";
import { pruneSnapshots } from "../../snapshots/prune.ts";
import { snapshotPath, type SnapshotStore } from "../../snapshots/store.ts";
import { sweepStore } from "../../snapshots/sweep.ts";
import { copiesIn, expectRowsHaveFiles, removeStores, temporaryStore } from "../snapshots/store-fixture.ts";
import { sha256 } from "../support/sha256.ts";
import { readRecord, scoutWorld, type Field } from "./fixture.ts";

/** Copies are taken away while scans count on them. */

const world = scoutWorld();
let store: SnapshotStore & { readonly stateDir: string };
let place: Field;
beforeEach(async () => {
  store = await temporaryStore();
  place = await world.openField({ snapshots: true });
});
afterAll(removeStores);

const scan = () => place.scan(null, { store });

/** Until somebody waits for the store's lock; throws when `work`, which should come to that, ends before. */
async function waitsForLock(work: Promise<unknown>): Promise<void> {
  let ended = false;
  const end = (): void => void (ended = true);
  work.then(end, end);
  for (;;) {
    const { rows } = await world.db.query(
      `select from pg_locks where locktype = 'advisory' and not granted
         and database = (select oid from pg_database where datname = current_database())`,
    );
    if (rows.length > 0) return;
    if (ended) throw new Error("it did not wait for the store's lock");
  }
}

test("a copy that goes between its file's hashing and the record is made anew", async () => {
  place.write("old.csv", "one");
  await scan();
  place.write("new.csv", "one");
  let scanning: Promise<unknown> | undefined;
  await alone(world.db, store.id, async () => {
    scanning = scan();
    await waitsForLock(scanning);
    // As whoever removes copies does, who had the lock first.
    await forgetSnapshot(world.db, store.id, sha256("one"));
    rmSync(snapshotPath(store.folder, sha256("one")));
  });
  await scanning;
  await expectRowsHaveFiles(world.db, store);
  expect(copiesIn(store)).toEqual([sha256("one")]);
  expect((await readRecord(world.db, place.source.id)).length).toBe(2);
});

test.each([
  ["a copy that nobody keeps any more", true, () => pruneSnapshots(world.db, store)],
  ["a copy that the record doesn't know", false, () => sweepStore(world.db, store, { unknownMs: 0 })],
])("%s is not taken away while a scan records what it counts on", async (_what, known, remove) => {
  place.write("a.csv", "one");
  await scan();
  await world.db.query("delete from cf_outbox");
  await world.db.query("delete from cf_snapshot_version");
  const copy = { hash: sha256("one"), sizeBytes: 3 };
  if (known) await world.db.query("update cf_snapshot set released_at = now()");
  else await forgetSnapshot(world.db, store.id, copy.hash);
  let removing: Promise<unknown> | undefined;
  await transaction(world.db, async (tx) => {
    await keepStore(tx, store.id);
    removing = remove();
    await waitsForLock(removing);
    expect(copiesIn(store)).toEqual([copy.hash]);
    await insertSnapshots(tx, store.id, [copy]);
  });
  await removing;
  expect(copiesIn(store)).toEqual([copy.hash]);
});

test("scans go on while copies are taken away: what the record says is there is there", async () => {
  // Everything but the newest 2 kB goes at once, and comes back under other names with each scan.
  const context = { db: world.db, actor: "test", temporal: null };
  await addSource(context, { name: place.source.name, settings: { snapshotBytesMax: 2_000 }, ownFolders: [] });
  const source = (await findSource(world.db, place.source.name))!;
  for (let round = 0; round < 4; round += 1) {
    for (let index = 0; index < 160; index += 1) place.write(`f${index}`, `content ${(index + round) % 200}`);
    await whileCopiesGo(async () => {
      await place.scan(null, { source, store });
      await world.db.query("delete from cf_outbox");
      await expectRowsHaveFiles(world.db, store);
    });
    await expectRowsHaveFiles(world.db, store);
  }
  expect((await readRecord(world.db, place.source.id)).length).toBe(160);
});

/**
 * Does the work while copies beyond the limit are taken away over and over. Unrecorded ones are swept, however young, but once: a scan
 * gives up whose copies go as often as it makes them.
 */
async function whileCopiesGo(work: () => Promise<unknown>): Promise<void> {
  let working = true;
  const removing = (async () => {
    await pruneSnapshots(world.db, store);
    await sweepStore(world.db, store, { unknownMs: 0 });
    while (working) await pruneSnapshots(world.db, store);
  })();
  try {
    await work();
  } finally {
    working = false;
    await removing;
  }
}
