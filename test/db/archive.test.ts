import { afterAll, expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";

const { db, close } = await testDatabase();
afterAll(close);
const record = fillRecord(db);

const source = await record.source("drops");
const other = await record.source("others");
const archiveVersion = await record.version(source, "drop.zip", "one");
const plainVersion = await record.version(source, "plain.csv", "plain");
await record.version(other, "drop.zip", "one");
const idOf = async (sourceId: string, relPath: string): Promise<string> => {
  const { rows } = await db.query<{ id: string }>("select id from cf_file_location where source_id = $1 and rel_path = $2", [
    sourceId,
    relPath,
  ]);
  return rows[0]!.id;
};
const archive = await idOf(source.id, "drop.zip");
const member = await insertMember("drop.zip!/a.csv", archive);

async function insertMember(relPath: string, containerId: string): Promise<string> {
  const { rows } = await db.query<{ id: string }>(
    `insert into cf_file_location (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode, container_id) values ($1, $2, 1, 0, 0, 0, $3)
     returning id`,
    [source.id, relPath, containerId],
  );
  return rows[0]!.id;
}

async function insertVersion(locationId: string, containerVersionId: string | null): Promise<string> {
  const { rows } = await db.query<{ id: string }>(
    `insert into cf_file_version (location_id, sequence, content_hash, size_bytes, mtime_ns, ctime_ns, inode, modified_at, container_version_id)
     values ($1, 1 + (select count(*) from cf_file_version where location_id = $1), repeat('a', 64), 1, 0, 0, 0, now(), $2) returning id`,
    [locationId, containerVersionId],
  );
  return rows[0]!.id;
}

const refused = { code: "23001" };

test("a member lies below its archive, in the same source, and in no archive that is a member itself", async () => {
  await expect(insertMember("elsewhere.csv", archive)).rejects.toMatchObject(refused);
  await expect(insertMember("drop.zip!/b.csv", await idOf(other.id, "drop.zip"))).rejects.toMatchObject(refused);
  await expect(insertMember("drop.zip!/a.csv!/b.csv", member)).rejects.toMatchObject(refused);
});

test("a location stays a file, or the member of its archive", async () => {
  const plain = await idOf(source.id, "plain.csv");
  await expect(db.query("update cf_file_location set container_id = $2 where id = $1", [plain, archive])).rejects.toMatchObject(refused);
  await expect(db.query("update cf_file_location set container_id = null where id = $1", [member])).rejects.toMatchObject(refused);
  await db.query("update cf_file_location set state = 'VANISHED', vanished_at = now() where id = $1", [member]);
});

test("a member's version names a version of its archive, and a file's none", async () => {
  await expect(insertVersion(member, null)).rejects.toMatchObject(refused);
  await expect(insertVersion(member, plainVersion)).rejects.toMatchObject(refused);
  await expect(insertVersion(archive, archiveVersion)).rejects.toMatchObject(refused);
  expect(await insertVersion(member, archiveVersion)).toMatch(/^\d+$/);
});

test("what became of an archive is told whole, and of archives only", async () => {
  const memberVersion = await insertVersion(member, archiveVersion);
  await expect(db.query("insert into cf_archive (file_version_id) values ($1)", [memberVersion])).rejects.toMatchObject(refused);
  for (const row of [
    "'OPENED', null, null, now()",
    "'REFUSED', null, null, now()",
    "'WAITING', null, null, now()",
    "'OPENED', 1, null, null",
  ]) {
    const inserting = db.query(`insert into cf_archive (file_version_id, state, members, message, ended_at) values ($1, ${row})`, [
      archiveVersion,
    ]);
    await expect(inserting).rejects.toMatchObject({ code: "23514" });
  }
});
