import { afterAll, beforeAll, expect, test } from "vitest";
import { loadFileVersion, recordVersions } from "../../db/file-version.ts";
import { insertOutbox, requeueVersion, takeOutboxRow } from "../../db/outbox.ts";
import { insertSource } from "../../db/source-root.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";

let database: TestDatabase;
let sourceId: string;
beforeAll(async () => {
  database = await testDatabase();
  sourceId = (await insertSource(database.db, { name: "drops", path: "/drops", settleMs: 0, include: [], exclude: [] }))!.id;
});
afterAll(() => database.close());

const hash = (digit: string) => digit.repeat(64);
const stat = { sizeBytes: 12, mtimeNs: 1_700_000_000_123_456_789n, ctimeNs: 1_700_000_001_987_654_321n, inode: 2n ** 64n - 5n };

async function newestVersion(relPath: string): Promise<string> {
  const { rows } = await database.db.query<{ id: string }>(
    "select v.id from cf_file_version v join cf_file_location l on l.id = v.location_id where l.rel_path = $1 order by v.sequence desc limit 1",
    [relPath],
  );
  return rows[0]!.id;
}

test("a version comes back exactly as it was recorded", async () => {
  expect(await recordVersions(database.db, sourceId, [{ relPath: "in/a.csv", hash: hash("a"), stat }])).toEqual(new Set(["in/a.csv"]));
  const id = await newestVersion("in/a.csv");
  expect(await loadFileVersion(database.db, id)).toEqual({
    id,
    locationId: expect.any(String),
    archive: null,
    sourceId,
    sourceName: "drops",
    sourcePath: "/drops",
    relPath: "in/a.csv",
    sequence: 1,
    contentHash: hash("a"),
    stat,
    detectedAt: expect.any(Date),
  });
  const { rows } = await database.db.query("select modified_at from cf_file_version where id = $1", [id]);
  expect(rows).toEqual([{ modified_at: new Date(1_700_000_000_123) }]);
  expect(await loadFileVersion(database.db, "999999")).toBeNull();
});

test("versions, locations and outbox rows land together or not at all", async () => {
  const files = [
    { relPath: "good", hash: hash("b"), stat },
    { relPath: "bad", hash: "not a hash", stat },
  ];
  await expect(recordVersions(database.db, sourceId, files)).rejects.toThrow("check constraint");
  const { rows } = await database.db.query("select from cf_file_location where rel_path in ('good', 'bad')");
  expect(rows).toEqual([]);
});

test("a version is in the outbox once, under the reason that asks for more", async () => {
  await recordVersions(database.db, sourceId, [{ relPath: "b.csv", hash: hash("c"), stat }]);
  const id = await newestVersion("b.csv");
  await requeueVersion(database.db, id);
  expect(await takeOutboxRow(database.db, id)).toBe("NEW");
  expect(await takeOutboxRow(database.db, id)).toBeNull();
  await requeueVersion(database.db, id);
  await insertOutbox(database.db, [id, id], "BACKFILL");
  expect(await takeOutboxRow(database.db, id)).toBe("BACKFILL");
});
