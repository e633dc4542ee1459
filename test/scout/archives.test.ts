import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { tarGzOf, zipFiles } from "../support/archives.ts";
import { archiveWorld } from "./archive-fixture.ts";
import { short } from "./fixture.ts";

const { world, field, members, watched, outbox, archives } = archiveWorld();

describe("members", () => {
  test("outside of the source's limits are left out, each with the limit's name", async () => {
    const place = await field({ sizeBytesMax: 1_000 });
    writeFileSync(join(place.root, "drop.zip"), zipFiles({ "small.csv": "A", "large.csv": "x".repeat(1_001) }));
    await place.scan();
    expect(await members(place)).toEqual([`drop.zip!/small.csv PRESENT 1:${short("A")}`]);
    expect(await place.findings()).toEqual(["MEMBER_OUTSIDE_LIMITS drop.zip!/large.csv"]);
  });

  test("of zip, tar and gzip files become locations with versions, and wait to be processed; the archive is a file as any", async () => {
    const place = await field();
    const drop = zipFiles({ "inner.csv": "A", "sub/b.csv": "B" });
    place.write("drop.zip", drop);
    place.write("in/data.csv.gz", gzipSync("C"));
    place.write("in/more.tar.gz", await tarGzOf([{ name: "d.csv", content: "D" }]));

    expect(await place.scan()).toMatchObject({ filesSeen: 7, filesNew: 7, filesUnchanged: 0, findings: 0, message: null });
    expect(await place.record()).toEqual([
      `drop.zip PRESENT 1:${short(drop)}`,
      `drop.zip!/inner.csv PRESENT 1:${short("A")}`,
      `drop.zip!/sub/b.csv PRESENT 1:${short("B")}`,
      `in/data.csv.gz PRESENT 1:${short(gzipSync("C"))}`,
      `in/data.csv.gz!/data.csv PRESENT 1:${short("C")}`,
      expect.stringMatching(/^in\/more\.tar\.gz PRESENT 1:/),
      `in/more.tar.gz!/d.csv PRESENT 1:${short("D")}`,
    ]);
    expect(await outbox(place)).toHaveLength(7);
    const { rows } = await world.db.query(
      `select l.rel_path, c.rel_path as archive, av.sequence, v.size_bytes, v.modified_at
       from cf_file_version v join cf_file_location l on l.id = v.location_id join cf_file_location c on c.id = l.container_id
       join cf_file_version av on av.id = v.container_version_id where l.source_id = $1 and c.rel_path = 'drop.zip' order by 1`,
      [place.source.id],
    );
    const modified_at = new Date(Date.UTC(2024, 0, 1, 12));
    expect(rows).toEqual([
      { rel_path: "drop.zip!/inner.csv", archive: "drop.zip", sequence: 1, size_bytes: "1", modified_at },
      { rel_path: "drop.zip!/sub/b.csv", archive: "drop.zip", sequence: 1, size_bytes: "1", modified_at },
    ]);
  });

  test("are none where the source does not open archives", async () => {
    const place = await field({ archives: false });
    place.write("drop.zip", zipFiles({ "inner.csv": "A" }));
    expect(await place.scan()).toMatchObject({ filesNew: 1 });
    expect(await members(place)).toEqual([]);
    expect(await archives(place)).toEqual([]);
  });

  test("get versions of their own with each version of the archive: changed, new, gone, back", async () => {
    const place = await field();
    place.write("drop.zip", zipFiles({ "same.csv": "S", "changes.csv": "1", "goes.csv": "G" }));
    await place.scan();
    place.write("drop.zip", zipFiles({ "same.csv": "S", "changes.csv": "2", "comes.csv": "C" }));
    expect(await place.scan()).toMatchObject({ filesSeen: 4, filesNew: 1, filesChanged: 2, filesUnchanged: 1, filesVanished: 1 });
    expect(await members(place)).toEqual([
      `drop.zip!/changes.csv PRESENT 1:${short("1")} 2:${short("2")}`,
      `drop.zip!/comes.csv PRESENT 1:${short("C")}`,
      `drop.zip!/goes.csv VANISHED 1:${short("G")}`,
      `drop.zip!/same.csv PRESENT 1:${short("S")}`,
    ]);

    place.write("drop.zip", zipFiles({ "same.csv": "S", "goes.csv": "G" }));
    expect(await place.scan()).toMatchObject({ filesChanged: 1, filesReappeared: 1, filesVanished: 2 });
    expect((await members(place))[2]).toBe(`drop.zip!/goes.csv PRESENT 1:${short("G")}`);
    expect(await archives(place)).toEqual(["drop.zip 1 OPENED 3", "drop.zip 2 OPENED 3", "drop.zip 3 OPENED 2"]);
    expect(await outbox(place)).toHaveLength(8);
  });

  test("vanish with their archive and are back with it, without new versions", async () => {
    const place = await field();
    place.write("keep.csv", "K");
    place.write("drop.zip", zipFiles({ "a.csv": "A", "b.csv": "B" }));
    await place.scan();
    const before = await place.record();
    renameSync(join(place.root, "drop.zip"), join(place.root, "..", `${place.source.name}.away`));
    expect(await place.scan(["drop.zip"])).toMatchObject({ filesVanished: 3 });
    expect(await members(place)).toEqual([`drop.zip!/a.csv VANISHED 1:${short("A")}`, `drop.zip!/b.csv VANISHED 1:${short("B")}`]);

    renameSync(join(place.root, "..", `${place.source.name}.away`), join(place.root, "drop.zip"));
    expect(await place.scan()).toMatchObject({ filesSeen: 4, filesReappeared: 3, filesNew: 0, filesChanged: 0 });
    expect(await place.record()).toEqual(before);

    // Under the very stat under which it vanished, as on a share that was away.
    await world.db.query(
      "update cf_file_location set state = 'VANISHED', vanished_at = now() where source_id = $1 and rel_path like 'drop%'",
      [place.source.id],
    );
    expect(await place.scan()).toMatchObject({ filesReappeared: 3, filesNew: 0 });
    expect(await place.record()).toEqual(before);
    expect(await outbox(place)).toHaveLength(4);
  });

  test("are not called vanished by a walk, which doesn't see them, whatever it looks at", async () => {
    const place = await field();
    place.write("drop.zip", zipFiles({ "a.csv": "A" }));
    await place.scan();
    const before = await place.record();
    for (const paths of [null, ["drop.zip"], ["drop.zip!/a.csv"], ["drop.zip!"], []]) {
      expect(await place.scan(paths)).toMatchObject({ filesVanished: 0, filesNew: 0, filesChanged: 0 });
    }
    expect(await place.record()).toEqual(before);
  });
});

describe("globs", () => {
  test("include is for members as for files, and does not keep an archive from being opened; exclude keeps all out", async () => {
    const place = await field({ include: ["*.csv", "in/deep.zip!/only/*"], exclude: ["secret.zip", "**/tmp/**", "old"] });
    const inside = zipFiles({ "a.csv": "A", "b.txt": "B", "tmp/c.csv": "C", "old/d.csv": "D", "only/e.txt": "E" });
    for (const path of ["drop.zip", "in/deep.zip", "secret.zip"]) place.write(path, inside);
    place.write("f.txt", "F");
    const { threads: listening, opened } = watched();
    await place.scan(null, { threads: listening });
    expect(opened.toSorted()).toEqual(["drop.zip", "in/deep.zip"]);
    const paths = (await place.record()).map((line) => line.split(" ")[0]);
    expect(paths).toEqual(["drop.zip", "drop.zip!/a.csv", "in/deep.zip", "in/deep.zip!/a.csv", "in/deep.zip!/only/e.txt"]);
  });
});

test("members wait in the outbox with their source's priority, for its workers", async () => {
  const { source, write, scan } = await field({ priority: 7, workerGroup: "nas" });
  write("a.csv", "1");
  write("b.csv.gz", gzipSync("2"));
  await scan();
  const { rows } = await world.db.query(
    `select l.rel_path as path, o.priority, o.worker_group as group from cf_outbox o join cf_file_version v on v.id = o.file_version_id
     join cf_file_location l on l.id = v.location_id where l.source_id = $1 order by 1`,
    [source.id],
  );
  const paths = ["a.csv", "b.csv.gz", "b.csv.gz!/b.csv"];
  expect(rows).toEqual(paths.map((path) => ({ path, priority: 7, group: "nas" })));
});
