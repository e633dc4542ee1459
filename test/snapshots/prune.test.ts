import { writeFileSync, mkdirSync, existsSync } from "node:fs";
import { dirname } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { recordWithCopies } from "../../scout/record-with-copies.ts";
import { insertOutbox } from "../../db/outbox.ts";
import { insertSource, setSourceState, updateSource, type Source, type SourceSettings } from "../../db/source-root.ts";
import { pruneSnapshots } from "../../snapshots/prune.ts";
import { snapshotPath, type SnapshotStore } from "../../snapshots/store.ts";
import { sweepStore } from "../../snapshots/sweep.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";
import { sha256 } from "../support/sha256.ts";
import { copiesIn, removeStores, temporaryStore } from "./store-fixture.ts";

let database: TestDatabase;
let store: SnapshotStore & { readonly stateDir: string };
let pluginId: string;
let count = 0;
beforeAll(async () => {
  database = await testDatabase();
  pluginId = await fillRecord(database.db).plugin("clean", "1");
});
beforeEach(async () => {
  store = await temporaryStore();
});
afterAll(async () => {
  await database.close();
  removeStores();
});

async function source(settings: Partial<SourceSettings> = {}): Promise<Source> {
  count += 1;
  return (await insertSource(database.db, { name: `s${count}`, path: `/nowhere/${count}`, snapshots: true, ...settings }))!;
}

/** Records a version with its copy, as a scan does, and takes it out of the outbox; returns its id. */
async function version(of: Source, relPath: string, content: string): Promise<string> {
  const hash = sha256(content);
  count += 1;
  const path = snapshotPath(store.folder, hash);
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) writeFileSync(path, content);
  const stat = { sizeBytes: content.length, mtimeNs: BigInt(count), ctimeNs: BigInt(count), inode: 1n };
  const connection = await database.db.connect();
  await recordWithCopies(connection, { sourceId: of.id, store, files: [{ relPath, hash, stat }] }).finally(() => connection.release());
  await database.db.query("delete from cf_outbox");
  const { rows } = await database.db.query<{ id: string }>(
    `select v.id from cf_file_version v join cf_file_location l on l.id = v.location_id
     where l.source_id = $1 and l.rel_path = $2 order by v.sequence desc limit 1`,
    [of.id, relPath],
  );
  return rows[0]!.id;
}

/** As if everything that was detected or has vanished so far had been so much earlier. */
async function pass(seconds: number): Promise<void> {
  await database.db.query("alter table cf_file_version disable trigger cf_file_version_immutable");
  await database.db.query("update cf_file_version set detected_at = detected_at - make_interval(secs => $1)", [seconds]);
  await database.db.query("alter table cf_file_version enable trigger cf_file_version_immutable");
  await database.db.query("update cf_file_location set vanished_at = vanished_at - make_interval(secs => $1)", [seconds]);
}

const vanish = (of: Source) =>
  database.db.query("update cf_file_location set state = 'VANISHED', vanished_at = now() where source_id = $1", [of.id]);
const prune = () => pruneSnapshots(database.db, store);
const contents = (...of: readonly string[]): readonly string[] => of.map(sha256).toSorted();

test("without limits everything stays", async () => {
  const plain = await source();
  await version(plain, "a", "one");
  await version(plain, "a", "two");
  await pass(1e8);
  expect(await prune()).toEqual({ contents: 0, bytes: 0, awaited: 0 });
  expect(copiesIn(store)).toEqual(contents("one", "two"));
});

test("the age counts from a version's replacement, or its file's end; what is present doesn't age", async () => {
  const aging = await source({ snapshotAgeMsMax: 3_600_000 });
  await version(aging, "a", "one");
  await version(aging, "b", "present");
  await pass(10_000);
  await version(aging, "a", "two");
  expect(await prune()).toMatchObject({ contents: 0 });
  await pass(3_000);
  await version(aging, "a", "three");
  await pass(1_000);
  expect(await prune()).toMatchObject({ contents: 1, bytes: 3 });
  expect(copiesIn(store)).toEqual(contents("two", "three", "present"));
  await vanish(aging);
  expect(await prune()).toMatchObject({ contents: 0 });
  await pass(3_601);
  await prune();
  expect(copiesIn(store)).toEqual([]);
});

test("the count is of each file's newest versions", async () => {
  const counted = await source({ snapshotCountMax: 2 });
  for (const content of ["one", "two", "three"]) await version(counted, "a", content);
  await version(counted, "b", "other");
  expect(await prune()).toMatchObject({ contents: 1 });
  expect(copiesIn(store)).toEqual(contents("two", "three", "other"));
});

test("by size the oldest go first, and what is present goes last", async () => {
  const sized = await source({ snapshotBytesMax: 30 });
  await version(sized, "old and present", "p".repeat(10));
  await version(sized, "a", "1".repeat(10));
  await version(sized, "a", "2".repeat(10));
  await version(sized, "a", "3".repeat(10));
  expect(await prune()).toMatchObject({ contents: 1 });
  expect(copiesIn(store)).toEqual(contents("p".repeat(10), "2".repeat(10), "3".repeat(10)));
  await version(sized, "larger than all", "x".repeat(31));
  expect(await prune()).toMatchObject({ contents: 1, bytes: 31 });
  await version(sized, "b", "4".repeat(10));
  await version(sized, "c", "5".repeat(10));
  await prune();
  expect(copiesIn(store)).toEqual(contents("3".repeat(10), "4".repeat(10), "5".repeat(10)));
});

test("a dry run says the same and removes nothing", async () => {
  const counted = await source({ snapshotCountMax: 1 });
  for (const content of ["one", "two", "three"]) await version(counted, "a", content);
  expect(await pruneSnapshots(database.db, store, { dryRun: true })).toEqual({ contents: 2, bytes: 6, awaited: 0 });
  expect(copiesIn(store)).toHaveLength(3);
  expect(await prune()).toEqual({ contents: 2, bytes: 6, awaited: 0 });
});

test("what another version or another source keeps stays; what a source never asked to keep doesn't keep anything", async () => {
  const counted = await source({ snapshotCountMax: 1 });
  const keeping = await source();
  await version(counted, "a", "shared");
  await version(keeping, "b", "shared");
  await version(counted, "a", "back");
  await version(counted, "a", "between");
  await version(counted, "a", "back");
  const indifferent = await fillRecord(database.db).source("indifferent");
  await fillRecord(database.db).version(indifferent, "c", "between");
  await database.db.query("delete from cf_outbox");
  await prune();
  expect(copiesIn(store)).toEqual(contents("shared", "back"));
});

test.each([
  ["a queued job", async (id: string) => void (await fillRecord(database.db).job(id, pluginId, "clean"))],
  [
    "a running job",
    async (id: string) => {
      const job = await fillRecord(database.db).job(id, pluginId, "clean");
      await database.db.query("update cf_processing_job set state = 'RUNNING' where id = $1", [job]);
    },
  ],
  ["a row of the outbox", (id: string) => insertOutbox(database.db, [id], "BACKFILL")],
])("what %s needs stays until it has ended", async (_what, need) => {
  const counted = await source({ snapshotCountMax: 1 });
  const needed = await version(counted, "a", "needed");
  await version(counted, "a", "newer");
  await need(needed);
  expect(await prune()).toEqual({ contents: 0, bytes: 0, awaited: 1 });
  expect(copiesIn(store)).toEqual(contents("needed", "newer"));
  await database.db.query("delete from cf_outbox");
  await database.db.query("update cf_processing_job set state = 'CANCELLED' where state in ('QUEUED', 'RUNNING')");
  expect(await prune()).toEqual({ contents: 1, bytes: 6, awaited: 0 });
  expect(copiesIn(store)).toEqual(contents("newer"));
});

test("an archive's copy stays while a job on one of its members needs it", async () => {
  const of = await source({ snapshotCountMax: 1, archives: true });
  const archive = await version(of, "drop.zip", "packed");
  const { rows } = await database.db.query<{ id: string }>(
    `with location as (
       insert into cf_file_location (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode, container_id)
       select $1, 'drop.zip!/a.csv', 1, 0, 0, 0, location_id from cf_file_version where id = $2 returning id
     )
     insert into cf_file_version (location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at, container_version_id)
     select id, 1, $3, 1, 0, 0, 0, now(), $2 from location returning id`,
    [of.id, archive, sha256("member")],
  );
  await version(of, "drop.zip", "packed anew");
  await database.db.query("update cf_archive set state = 'OPENED', members = 1, ended_at = now()");
  await insertOutbox(database.db, [rows[0]!.id], "NEW");
  expect(await prune()).toMatchObject({ contents: 0, awaited: 1 });
  expect(copiesIn(store)).toEqual(contents("packed", "packed anew"));
  await database.db.query("delete from cf_outbox");
  expect(await prune()).toMatchObject({ contents: 1, awaited: 0 });
  expect(copiesIn(store)).toEqual(contents("packed anew"));
});

test("all of a source is taken away when that is asked for, also of a removed one", async () => {
  const removed = await source();
  const other = await source();
  await version(removed, "a", "one");
  await version(removed, "b", "shared");
  await version(other, "b", "shared");
  await setSourceState(database.db, removed.id, "REMOVED");
  expect(await pruneSnapshots(database.db, store, { allOf: removed.name })).toMatchObject({ contents: 1 });
  expect(copiesIn(store)).toEqual(contents("shared"));
});

test("a process that dies between record and files leaves what the sweep removes; young files are left alone", async () => {
  const counted = await source();
  await version(counted, "a", "kept");
  await version(counted, "a", "row gone");
  await database.db.query("delete from cf_snapshot_version where content_hash = $1", [sha256("row gone")]);
  await database.db.query("delete from cf_snapshot where content_hash = $1", [sha256("row gone")]);
  writeFileSync(`${store.folder}/incoming/unfinished`, "half");
  expect(await sweepStore(database.db, store)).toBe(0);
  expect(await sweepStore(database.db, store, { unknownMs: 0, unfinishedMs: 0 })).toBe(2);
  expect(copiesIn(store)).toEqual(contents("kept"));
});

interface Step {
  readonly source: number;
  readonly file: number;
  readonly content: number;
  readonly need: "none" | "queued" | "running" | "outbox";
}

test("whatever happens, what is needed and what each source's newest versions hold stays, and rows and files agree", async () => {
  const step: fc.Arbitrary<Step> = fc.record({
    source: fc.nat(2),
    file: fc.nat(3),
    content: fc.nat(7),
    need: fc.constantFrom("none", "none", "queued", "running", "outbox"),
  });
  const limits = fc.record({
    snapshotAgeMsMax: fc.option(fc.integer({ min: 1, max: 1_000_000 })),
    snapshotCountMax: fc.option(fc.integer({ min: 1, max: 3 })),
    snapshotBytesMax: fc.option(fc.integer({ min: 1, max: 60 })),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), fc.tuple(limits, limits, limits), async (steps, settings) => {
      store = await temporaryStore();
      const sources = [await source(), await source(), await source()];
      for (const { source: of, file, content, need } of steps) {
        const id = await version(sources[of]!, `f${file}`, String(content).repeat(content + 1));
        if (need !== "none") await database.db.query("delete from cf_processing_job where file_version_id = $1", [id]);
        if (need === "outbox") await insertOutbox(database.db, [id], "NEW");
        else if (need !== "none") {
          const job = await fillRecord(database.db).job(id, pluginId, "clean");
          if (need === "running") await database.db.query("update cf_processing_job set state = 'RUNNING' where id = $1", [job]);
        }
        if (content === 7) await pass(500);
      }
      for (const [index, of] of sources.entries()) await updateSource(database.db, of.id, { ...of, ...settings[index] });
      await prune();

      const onDisk = new Set(copiesIn(store));
      const { rows } = await database.db.query<{ hash: string; needed: boolean; newest: boolean; unlimited: boolean; row: boolean }>(
        `select v.content_hash as hash,
           exists (select from cf_outbox o where o.file_version_id = v.id)
             or exists (select from cf_processing_job j where j.file_version_id = v.id and j.state in ('QUEUED', 'RUNNING')) as needed,
           not exists (select from cf_file_version n where n.location_id = v.location_id and n.sequence > v.sequence) as newest,
           s.snapshot_bytes_max is null as unlimited,
           exists (select from cf_snapshot c where c.content_hash = v.content_hash and c.store = $2) as row
         from cf_file_version v join cf_file_location l on l.id = v.location_id join cf_source_root s on s.id = l.source_id
         where l.source_id = any ($1)`,
        [sources.map(({ id }) => id), store.id],
      );
      for (const { hash, needed, newest, unlimited, row } of rows) {
        expect(row).toBe(onDisk.has(hash));
        if (needed || (newest && unlimited)) expect(onDisk.has(hash)).toBe(true);
      }
      for (const [index, of] of sources.entries()) {
        const bytesMax = settings[index]?.snapshotBytesMax ?? null;
        if (bytesMax === null) continue;
        const { rows: kept } = await database.db.query<{ bytes: number }>(
          `select coalesce(sum(size_bytes), 0)::float8 as bytes from (
             select distinct c.content_hash, c.size_bytes from cf_snapshot_version k join cf_snapshot c using (content_hash, store)
             join cf_file_version v on v.id = k.file_version_id join cf_file_location l on l.id = v.location_id where l.source_id = $1) d`,
          [of.id],
        );
        expect(kept[0]!.bytes).toBeLessThanOrEqual(bytesMax);
      }
      await database.db.query("delete from cf_outbox");
    }),
    { numRuns: 15 },
  );
});
