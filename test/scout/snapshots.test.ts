import { readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { addSource } from "../../control/add-source.ts";
import { findSource } from "../../db/source-root.ts";
import { snapshotPath, type SnapshotStore } from "../../snapshots/store.ts";
import { sweepStore } from "../../snapshots/sweep.ts";
import { copiesIn, expectRowsHaveFiles, removeStores, temporaryStore, unfinishedIn } from "../snapshots/store-fixture.ts";
import { sha256 } from "../support/sha256.ts";
import { scoutWorld, type Field } from "./fixture.ts";
import { scanAndKill } from "./scan-and-kill.ts";

const world = scoutWorld();
let store: SnapshotStore & { readonly stateDir: string };
let place: Field;
beforeEach(async () => {
  store = await temporaryStore();
  place = await world.openField({ snapshots: true });
});
afterAll(removeStores);

const scan = (field = place) => field.scan(null, { store });

/** Of each version of the source: its file, its number, and whether a copy is kept for it. */
async function kept(field = place): Promise<readonly string[]> {
  const { rows } = await world.db.query<{ line: string }>(
    `select l.rel_path || ' ' || v.sequence || case when k.file_version_id is null then ' none' else ' kept' end as line
     from cf_file_version v join cf_file_location l on l.id = v.location_id
     left join cf_snapshot_version k on k.file_version_id = v.id and k.store = $2
     where l.source_id = $1 order by l.rel_path, v.sequence`,
    [field.source.id, store.id],
  );
  return rows.map((row) => row.line);
}

test("each version's content is kept, one copy for equal ones; the file may change or go", async () => {
  place.write("a.csv", "one");
  place.write("b.csv", "one");
  await scan();
  place.write("a.csv", "two");
  await scan();
  place.write("a.csv", "one");
  unlinkSync(join(place.root, "b.csv"));
  await scan();
  expect(await kept()).toEqual(["a.csv 1 kept", "a.csv 2 kept", "a.csv 3 kept", "b.csv 1 kept"]);
  expect(copiesIn(store)).toEqual([sha256("one"), sha256("two")].toSorted());
  expect(readFileSync(snapshotPath(store.folder, sha256("two")), "utf8")).toBe("two");
});

test("nothing is copied for a source that doesn't ask for it", async () => {
  const plain = await world.openField();
  plain.write("a.csv", "private");
  await scan(plain);
  expect(copiesIn(store)).toEqual([]);
});

test("a source that asks for it is not scanned where nobody says where to keep copies", async () => {
  place.write("a.csv", "one");
  await expect(place.scan()).rejects.toThrow("keeps copies");
  expect(await place.record()).toEqual([]);
});

test("switched on later, the next scan of the whole source copies what is there, once", async () => {
  const plain = await world.openField();
  for (const name of ["a.csv", "b.csv", "in/c.csv"]) plain.write(name, name);
  await plain.scan();
  plain.write("a.csv", "a.csv, second");
  await plain.scan();
  const context = { db: world.db, actor: "test", temporal: null };
  await addSource(context, { name: plain.source.name, settings: { snapshots: true }, ownFolders: [] });
  const source = (await findSource(world.db, plain.source.name))!;

  await plain.scan(["in"], { source, store });
  expect(copiesIn(store)).toEqual([]);
  expect(await plain.scan(null, { source, store })).toMatchObject({ filesSeen: 3, filesUnchanged: 3, filesNew: 0, filesChanged: 0 });
  expect(await kept(plain)).toEqual(["a.csv 1 none", "a.csv 2 kept", "b.csv 1 kept", "in/c.csv 1 kept"]);
  expect(await plain.scan(null, { source, store })).toMatchObject({ bytesHashed: 0 });
});

test("a copy that can't be made is a finding; the version stands, and a later scan makes the copy", async () => {
  const blocked = join(store.folder, sha256("one").slice(0, 2));
  writeFileSync(blocked, "");
  place.write("a.csv", "one");
  place.write("b.csv", "two");
  expect(await scan()).toMatchObject({ filesNew: 2, findings: 1 });
  expect(await kept()).toEqual(["a.csv 1 none", "b.csv 1 kept"]);
  expect(await place.findings()).toEqual(["SNAPSHOT_FAILED a.csv"]);
  expect(await scan()).toMatchObject({ findings: 1 });

  rmSync(blocked);
  expect(await scan()).toMatchObject({ filesUnchanged: 2, findings: 0 });
  expect(await kept()).toEqual(["a.csv 1 kept", "b.csv 1 kept"]);
  expect(await scan()).toMatchObject({ bytesHashed: 0 });
});

test("the finding goes with its file", async () => {
  writeFileSync(join(store.folder, sha256("one").slice(0, 2)), "");
  place.write("a.csv", "one");
  place.write("b.csv", "two");
  await scan();
  unlinkSync(join(place.root, "a.csv"));
  expect(await scan()).toMatchObject({ filesVanished: 1, findings: 0 });
});

test("a scan that is killed anywhere leaves no version without its copy, and the next one completes it", async () => {
  for (let index = 0; index < 1_400; index += 1) place.write(`folder-${index % 30}/f${index}`, `content ${index % 700}`);
  const times: readonly ((step: string, hashed: number) => boolean)[] = [
    (step) => step === "compare",
    (step, hashed) => step === "hash" && hashed === 0,
    (step, hashed) => step === "hash" && hashed >= 256,
    (step, hashed) => step === "hash" && hashed >= 900,
  ];
  for (const isTime of times) {
    expect(await scanAndKill([world.url, place.source.name, store.stateDir], isTime)).not.toContain("done 0");
    expect((await kept()).filter((line) => line.endsWith("none"))).toEqual([]);
    await expectRowsHaveFiles(world.db, store);
  }
  await scan();
  expect(await kept()).toHaveLength(1_400);
  expect((await kept()).filter((line) => line.endsWith("none"))).toEqual([]);
  await sweepStore(world.db, store, { unknownMs: 0, unfinishedMs: 0 });
  expect(unfinishedIn(store)).toEqual([]);
  expect(copiesIn(store)).toEqual(Array.from({ length: 700 }, (_, index) => sha256(`content ${index}`)).toSorted());
});
