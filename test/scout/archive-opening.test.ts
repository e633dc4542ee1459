import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { presentFiles } from "../../db/file-location.ts";
import { listFiles } from "../../db/history.ts";
import { createScoutThreads, type ScoutThreads } from "../../scout/threads.ts";
import { zipFiles, zipOf } from "../support/archives.ts";
import { archiveWorld } from "./archive-fixture.ts";
import { setModified, short } from "./fixture.ts";

const { world, field, members, watched, changed, outbox, archives } = archiveWorld();

describe("an archive is opened once for each version", () => {
  test("not again when nothing changed or when it was only touched", async () => {
    const place = await field();
    place.write("drop.zip", zipFiles({ "a.csv": "A" }));
    const first = watched();
    await place.scan(null, { threads: first.threads });
    expect(first.opened).toEqual(["drop.zip"]);
    const later = watched();
    expect(await place.scan(null, { threads: later.threads })).toMatchObject({ filesSeen: 1, filesUnchanged: 1, bytesHashed: 0 });
    setModified(join(place.root, "drop.zip"), 1_000_000);
    await place.scan(null, { threads: later.threads });
    expect(later.opened).toEqual([]);
  });

  test("when archives are turned on, those on record; when they are turned off, the members vanish and it is said", async () => {
    const place = await field({ archives: false });
    place.write("drop.zip", zipFiles({ "a.csv": "A", "../b.csv": "B" }));
    place.write("gone.zip", zipFiles({ "g.csv": "G" }));
    await place.scan();
    rmSync(join(place.root, "gone.zip"));
    const on = await changed(place, { archives: true });
    expect(await place.scan([], on)).toMatchObject({ filesNew: 1 });
    await place.scan(null, on);
    expect(await members(place)).toEqual([`drop.zip!/a.csv PRESENT 1:${short("A")}`]);
    expect(await place.findings()).toEqual(["MEMBER_NAME_UNSAFE drop.zip!/../b.csv"]);

    const off = await changed(place, { archives: false });
    expect(await place.scan(null, off)).toMatchObject({
      filesVanished: 1,
      findings: 0,
      message: expect.stringContaining("no longer opened, so 1 members"),
    });
    expect(await members(place)).toEqual([`drop.zip!/a.csv VANISHED 1:${short("A")}`]);
    expect(await place.scan(null, off)).toMatchObject({ filesVanished: 0, message: null });
    // What changes meanwhile is opened when they are turned on again.
    place.write("late.zip", zipFiles({ "l.csv": "L" }));
    await place.scan(null, off);

    expect(await place.scan(null, on)).toMatchObject({ filesReappeared: 1, filesNew: 1 });
    expect(await members(place)).toEqual([`drop.zip!/a.csv PRESENT 1:${short("A")}`, `late.zip!/l.csv PRESENT 1:${short("L")}`]);
  });

  test("an archive that changes before or while it is opened waits, as any file does", async () => {
    const place = await field({ settleMs: 0 });
    place.write("drop.zip", zipFiles({ "a.csv": "A" }));
    const meddling = watched(() => place.write("drop.zip", zipFiles({ "a.csv": "other", "b.csv": "B" })));
    expect(await place.scan(null, { threads: meddling.threads })).toMatchObject({ filesNew: 1, filesWaiting: 1 });
    expect(await members(place)).toEqual([]);
    expect(await archives(place)).toEqual(["drop.zip 1 WAITING"]);
    await place.scan([]);
    expect(await members(place)).toEqual([`drop.zip!/a.csv PRESENT 1:${short("other")}`, `drop.zip!/b.csv PRESENT 1:${short("B")}`]);
    expect(await archives(place)).toEqual(["drop.zip 1 REPLACED", "drop.zip 2 OPENED 2"]);
  });

  test("a short step leaves large archives, new or waiting, to a long one", async () => {
    const place = await field();
    place.write("drop.zip", zipFiles({ "a.csv": "A" }));
    const bounds = { files: 100, bytes: 10_000, archiveBytes: 50 };
    await expect(place.scan(["drop.zip"], { bounds })).rejects.toMatchObject({ code: "SCAN_TOO_LARGE" });
    expect(await place.record()).toEqual([]);
    await changed(place, { archives: true });
    expect(await place.scan(["drop.zip"], { bounds: { ...bounds, archiveBytes: 5_000 } })).toMatchObject({ filesNew: 2 });
    await world.db.query("update cf_archive set state = 'WAITING', members = null, ended_at = null");
    await expect(place.scan([], { bounds })).rejects.toMatchObject({ code: "SCAN_TOO_LARGE" });
    expect(await place.scan([], { bounds: { ...bounds, archiveBytes: 5_000 } })).toMatchObject({ filesSeen: 1 });
  });

  test("a scan that ends before the members are recorded leaves nothing half recorded, and the next one completes it", async () => {
    const place = await field();
    place.write("drop.zip", zipOf(Array.from({ length: 1_200 }, (_, n) => ({ name: `${n}.csv`, content: `${n}` }))));
    const stop = new AbortController();
    const scanning = place.scan(null, {
      signal: stop.signal,
      onProgress: ({ step }) => step === "archives" && stop.abort(new Error("stopped here")),
    });
    await expect(scanning).rejects.toThrow("stopped here");
    expect(await members(place)).toEqual([]);
    expect(await archives(place)).toEqual(["drop.zip 1 WAITING"]);
    const resumed = watched();
    expect(await place.scan([], { threads: resumed.threads })).toMatchObject({ filesNew: 1_200 });
    expect(resumed.opened).toEqual(["drop.zip"]);
    expect(await members(place)).toHaveLength(1_200);
    expect(await outbox(place)).toHaveLength(1_201);
  });

  test("a scan that loses the database in the midst of an archive leaves its thread to others", async () => {
    const only = createScoutThreads(1);
    const place = await field();
    // Large enough to wait for its place.
    place.write("large.zip", zipOf([{ name: "a.bin", content: randomBytes(5_000_000) }]));
    const losing: ScoutThreads = {
      ...only,
      async *members(request, signal) {
        await world.db.query(
          `select pg_terminate_backend(pid) from pg_locks
           where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
        );
        return yield* only.members(request, signal);
      },
    };
    await expect(place.scan(null, { threads: losing })).rejects.toThrow();
    expect(await place.scan(null, { threads: only })).toMatchObject({ filesSeen: 2, filesNew: 1 });
    await only.close();
  });
});

test("the record tells which archives are there for their members, by the source's setting as it is", async () => {
  const place = await field({ archives: false });
  const opened = async () => {
    const sourceIds = [place.source.id];
    const listed = await listFiles(world.db, { sourceIds, limit: 10, state: "PRESENT" });
    const present = (await Array.fromAsync(presentFiles(world.db, sourceIds))).flat();
    expect(listed.map((file) => file.isOpened)).toEqual(present.map((file) => file.isOpened));
    return present.filter((file) => file.isOpened).map((file) => file.path);
  };
  place.write("drop.zip", zipFiles({ "inner.zip": "A" }));
  place.write("plain.csv", "B");
  await place.scan();
  expect(await opened()).toEqual([]);
  const on = await changed(place, { archives: true });
  expect(await opened()).toEqual(["drop.zip"]);
  await place.scan(null, on);
  expect(await members(place)).toHaveLength(1);
  expect(await opened()).toEqual(["drop.zip"]);

  await place.scan(null, await changed(place, { archives: false }));
  place.write("drop.zip", zipFiles({ "other.csv": "C" }));
  await place.scan(null, await changed(place, { archives: false }));
  expect(await opened()).toEqual([]);
  await changed(place, { archives: true });
  // Its newest version was recorded while archives were not opened.
  expect(await opened()).toEqual(["drop.zip"]);
});
