import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { presentFiles } from "../../db/file-location.ts";
import { listFiles } from "../../db/history.ts";
import { findSource, updateSource, type SourceSettings } from "../../db/source-root.ts";
import type { ScanRequest } from "../../scout/scan.ts";
import { createScoutThreads, type ScoutThreads } from "../../scout/threads.ts";
import { tarGzOf, zipFiles, zipOf } from "../support/archives.ts";
import { asOrdinaryUser, scoutWorld, setModified, type Field } from "./fixture.ts";

const world = scoutWorld();
const field = (settings: Partial<SourceSettings> = {}) => world.openField({ archives: true, ...settings });
const short = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex").slice(0, 6);

/** The members on record, as `record` gives locations. */
const members = async ({ record }: Field) => (await record()).filter((line) => line.includes("!/"));

/** Threads that tell which archives were opened. */
function watched(before: (relPath: string) => void = () => {}): { readonly threads: ScoutThreads; readonly opened: string[] } {
  const opened: string[] = [];
  return {
    opened,
    threads: {
      ...world.threads,
      members(request, signal) {
        opened.push(request.relPath);
        before(request.relPath);
        return world.threads.members(request, signal);
      },
    },
  };
}

/** As the next scan sees the source once its settings have changed. */
async function changed({ source }: Field, settings: Partial<SourceSettings>): Promise<Partial<ScanRequest>> {
  await updateSource(world.db, source.id, { ...source, ...settings });
  return { source: (await findSource(world.db, source.name))! };
}

async function outbox({ source }: Field): Promise<readonly string[]> {
  const { rows } = await world.db.query<{ line: string }>(
    `select l.rel_path || ' ' || v.sequence as line from cf_outbox o join cf_file_version v on v.id = o.file_version_id
     join cf_file_location l on l.id = v.location_id where l.source_id = $1 order by 1`,
    [source.id],
  );
  return rows.map((row) => row.line);
}

async function archives({ source }: Field): Promise<readonly string[]> {
  const { rows } = await world.db.query<{ line: string }>(
    `select l.rel_path || ' ' || v.sequence || ' ' || a.state || coalesce(' ' || a.members, '') as line
     from cf_archive a join cf_file_version v on v.id = a.file_version_id join cf_file_location l on l.id = v.location_id
     where l.source_id = $1 order by v.id`,
    [source.id],
  );
  return rows.map((row) => row.line);
}

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
    const filter = { sourceIds: [place.source.id], limit: 10 };
    const listed = await listFiles(world.db, { ...filter, state: "PRESENT" });
    const present = await presentFiles(world.db, filter);
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

describe("what is refused", () => {
  test("a corrupt version of an archive is a finding, and what is on record of its members stays until a good one comes", async () => {
    const place = await field();
    const good = zipFiles({ "a.csv": "A", "b.csv": "B" });
    place.write("drop.zip", good);
    await place.scan();
    const before = await members(place);
    place.write(
      "drop.zip",
      zipOf([
        { name: "a.csv", content: "new" },
        { name: "b.csv", content: "new", checksum: 7 },
      ]),
    );
    expect(await place.scan()).toMatchObject({ filesChanged: 1, filesVanished: 0, findings: 1 });
    expect(await members(place)).toEqual(before);
    expect(await place.findings()).toEqual(["ARCHIVE_REFUSED drop.zip"]);
    expect(place.log.lines).toContainEqual({ level: "warn", message: "an archive is refused" });
    // It holds though later scans don't open the archive again.
    const later = watched();
    await place.scan(null, { threads: later.threads });
    expect(later.opened).toEqual([]);
    expect(await place.findings()).toEqual(["ARCHIVE_REFUSED drop.zip"]);
    expect(await archives(place)).toEqual(["drop.zip 1 OPENED 2", "drop.zip 2 REFUSED"]);

    place.write("drop.zip", zipFiles({ "a.csv": "A2" }));
    expect(await place.scan()).toMatchObject({ findings: 0 });
    expect(await members(place)).toEqual([
      `drop.zip!/a.csv PRESENT 1:${short("A")} 2:${short("A2")}`,
      `drop.zip!/b.csv VANISHED 1:${short("B")}`,
    ]);
  });

  test("findings about members hold until the archive has another version, and go with it", async () => {
    const place = await field();
    place.write("keep", "");
    place.write(
      "drop.zip",
      zipOf([{ name: "secret.csv", content: "x", flags: 0x801 }, { name: "/abs.csv" }, { name: "good.csv", content: "g" }]),
    );
    await place.scan();
    const found = ["MEMBER_ENCRYPTED drop.zip!/secret.csv", "MEMBER_NAME_UNSAFE drop.zip!//abs.csv"];
    expect(await place.findings()).toEqual(found);
    expect(await place.scan()).toMatchObject({ findings: 2 });
    expect(await place.findings()).toEqual(found);
    place.write("drop.zip", zipOf([{ name: "secret.csv", content: "x", flags: 0x801 }]));
    await place.scan();
    expect(await place.findings()).toEqual([found[0]]);
    rmSync(join(place.root, "drop.zip"));
    await place.scan();
    expect(await place.findings()).toEqual([]);
  });

  test("a name that occurs twice is not taken, and not called vanished; a member that can't be read any more is neither", async () => {
    const place = await field();
    place.write("drop.zip", zipFiles({ "a.csv": "A", "b.csv": "B" }));
    await place.scan();
    place.write(
      "drop.zip",
      zipOf([{ name: "a.csv", content: "1" }, { name: "./a.csv", content: "2" }, { name: "b.csv", flags: 0x801 }, { name: "c.csv" }]),
    );
    await place.scan();
    expect(await members(place)).toEqual([
      `drop.zip!/a.csv PRESENT 1:${short("A")}`,
      `drop.zip!/b.csv PRESENT 1:${short("B")}`,
      `drop.zip!/c.csv PRESENT 1:${short("")}`,
    ]);
    expect(await place.findings()).toEqual(["MEMBER_DOUBLED drop.zip!/a.csv", "MEMBER_ENCRYPTED drop.zip!/b.csv"]);
  });

  test("a folder whose files would have members' paths is not entered; a path that a file had is no member's", async () => {
    const place = await field();
    mkdirSync(join(place.root, "drop.zip!"));
    place.write("drop.zip!/a.csv", "file");
    place.write("drop.zip", zipFiles({ "a.csv": "member", "b.csv": "B" }));
    await world.db.query(
      `insert into cf_file_location (source_id, rel_path, size_bytes, mtime_ns, ctime_ns, inode) values ($1, 'drop.zip!/b.csv', 0, 0, 0, 0)`,
      [place.source.id],
    );
    await place.scan();
    expect(await members(place)).toEqual([`drop.zip!/a.csv PRESENT 1:${short("member")}`]);
    expect(await place.findings()).toEqual(["FOLDER_LIKE_ARCHIVE drop.zip!", "MEMBER_PATH_TAKEN drop.zip!/b.csv"]);
  });

  test("an archive that can't be read now is tried again by the next scan", async () => {
    const place = await field();
    place.write("drop.zip", zipFiles({ "a.csv": "A" }));
    const failing: ScoutThreads = {
      ...world.threads,
      // eslint-disable-next-line require-yield -- it fails before anything comes
      async *members() {
        return { outcome: "UNREADABLE", message: "EIO" };
      },
    };
    await place.scan(null, { threads: failing });
    expect(await place.findings()).toEqual(["UNREADABLE drop.zip"]);
    expect(await place.scan(null)).toMatchObject({ filesNew: 1, findings: 0 });
    expect(await members(place)).toHaveLength(1);
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

test("an archive that nobody may read is a finding as any file", async () => {
  const place = await field();
  writeFileSync(join(place.root, "drop.zip"), zipFiles({ "a.csv": "A" }));
  chmodSync(place.root, 0o755);
  chmodSync(join(place.root, "drop.zip"), 0);
  await asOrdinaryUser(async () => {
    await place.scan();
  });
  expect(await place.findings()).toEqual(["UNREADABLE drop.zip"]);
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
