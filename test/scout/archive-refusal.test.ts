import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ScoutThreads } from "../../scout/threads.ts";
import { zipFiles, zipOf } from "../support/archives.ts";
import { archiveWorld } from "./archive-fixture.ts";
import { asOrdinaryUser, short } from "./fixture.ts";

const { world, field, members, watched, archives } = archiveWorld();

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
