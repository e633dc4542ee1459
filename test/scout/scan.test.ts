import { appendFileSync, linkSync, mkdirSync, renameSync, symlinkSync, truncateSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { scoutWorld, setModified, short } from "./fixture.ts";

const world = scoutWorld();
const field = world.openField;

test("new files become locations with a first version and a row in the outbox", async () => {
  const { write, scan, record, source } = await field();
  write("a.csv", "A");
  write("sub/deep/b.csv", "B");
  write("empty", "");

  const report = await scan();

  expect(report).toMatchObject({
    filesSeen: 3,
    filesNew: 3,
    filesChanged: 0,
    filesUnchanged: 0,
    filesWaiting: 0,
    nextSettleAt: null,
    bytesHashed: 2,
  });
  expect(await record()).toEqual([
    `a.csv PRESENT 1:${short("A")}`,
    `empty PRESENT 1:${short("")}`,
    `sub/deep/b.csv PRESENT 1:${short("B")}`,
  ]);
  const { rows } = await world.db.query(
    `select o.reason, v.sequence, v.size_bytes, abs(extract(epoch from now() - v.modified_at)) < 60 as recent
     from cf_outbox o join cf_file_version v on v.id = o.file_version_id join cf_file_location l on l.id = v.location_id
     where l.source_id = $1 order by v.size_bytes, o.reason`,
    [source.id],
  );
  expect(rows).toEqual(["0", "1", "1"].map((size) => ({ reason: "NEW", sequence: 1, size_bytes: size, recent: true })));
});

test("a second scan of an unchanged tree records nothing", async () => {
  const { write, scan, record } = await field();
  write("a.csv", "A");
  write("b.csv", "B");
  await scan();
  const before = await record();

  expect(await scan()).toMatchObject({ filesSeen: 2, filesNew: 0, filesUnchanged: 2, bytesHashed: 0 });
  expect(await record()).toEqual(before);
});

test("A, B and A again are three versions", async () => {
  const { write, scan, record } = await field();
  for (const content of ["A", "B", "A"]) {
    write("f", content);
    await scan();
  }
  expect(await record()).toEqual([`f PRESENT 1:${short("A")} 2:${short("B")} 3:${short("A")}`]);
});

test("a touched file takes the new stat and no version", async () => {
  const { root, write, scan, record } = await field();
  write("f", "A");
  await scan();
  setModified(join(root, "f"), 1_000_000);

  expect(await scan()).toMatchObject({ filesChanged: 0, filesUnchanged: 1, bytesHashed: 1 });
  expect(await scan()).toMatchObject({ filesUnchanged: 1, bytesHashed: 0 });
  expect(await record()).toEqual([`f PRESENT 1:${short("A")}`]);
});

test("other content under the same size and mtime is found by ctime", async () => {
  const { root, write, scan, record } = await field();
  write("f", "A");
  setModified(join(root, "f"), 1_000_000);
  await scan();
  write("f", "B");
  setModified(join(root, "f"), 1_000_000);

  expect(await scan()).toMatchObject({ filesChanged: 1 });
  expect(await record()).toEqual([`f PRESENT 1:${short("A")} 2:${short("B")}`]);
});

test("a file that arrives late with an old mtime is found", async () => {
  const { root, write, scan } = await field();
  write("new", "1");
  await scan();
  write("old", "2");
  setModified(join(root, "old"), 0);
  expect(await scan()).toMatchObject({ filesNew: 1 });
});

describe("a vanished file", () => {
  test("is marked with the time", async () => {
    const { root, write, scan, record, source } = await field();
    write("stays", "1");
    write("goes", "2");
    await scan();
    unlinkSync(join(root, "goes"));

    expect(await scan()).toMatchObject({ filesSeen: 1, filesVanished: 1, filesUnchanged: 1 });
    expect(await record()).toEqual([`goes VANISHED 1:${short("2")}`, `stays PRESENT 1:${short("1")}`]);
    const { rows } = await world.db.query(
      "select vanished_at is not null as dated from cf_file_location where source_id = $1 and state = 'VANISHED'",
      [source.id],
    );
    expect(rows).toEqual([{ dated: true }]);
    expect(await scan()).toMatchObject({ filesVanished: 0 });
  });

  test("that is back with the content of its newest version is present again without a new one", async () => {
    const { root, write, scan, record } = await field();
    write("stays", "1");
    write("f", "A");
    await scan();
    unlinkSync(join(root, "f"));
    await scan();
    write("f", "A");

    expect(await scan()).toMatchObject({ filesReappeared: 1, filesNew: 0, filesChanged: 0, bytesHashed: 1 });
    expect((await record())[0]).toBe(`f PRESENT 1:${short("A")}`);
  });

  test("that is back with other content has a further version", async () => {
    const { root, write, scan, record } = await field();
    write("stays", "1");
    write("f", "A");
    await scan();
    unlinkSync(join(root, "f"));
    await scan();
    write("f", "B");

    expect(await scan()).toMatchObject({ filesReappeared: 1, filesChanged: 0 });
    expect((await record())[0]).toBe(`f PRESENT 1:${short("A")} 2:${short("B")}`);
  });

  test("that is back under the very same stat is not even read", async () => {
    const { root, write, scan, record } = await field();
    write("stays", "1");
    write("folder/f", "A");
    await scan();
    // To move the file itself would change its ctime.
    const aside = `${root}-aside`;
    renameSync(join(root, "folder"), aside);
    expect(await scan()).toMatchObject({ filesVanished: 1 });
    renameSync(aside, join(root, "folder"));

    expect(await scan()).toMatchObject({ filesReappeared: 1, bytesHashed: 0 });
    expect((await record())[0]).toBe(`folder/f PRESENT 1:${short("A")}`);
  });
});

test("every file that was seen is counted once", async () => {
  const { root, write, scan } = await field();
  for (const name of ["same", "changed", "touched", "gone", "back"]) write(name, name);
  await scan();
  unlinkSync(join(root, "back"));
  await scan();
  write("back", "back");
  write("changed", "otherwise");
  setModified(join(root, "touched"), 1_000_000);
  unlinkSync(join(root, "gone"));
  write("new", "new");

  expect(await scan()).toMatchObject({
    filesSeen: 5,
    filesNew: 1,
    filesChanged: 1,
    filesReappeared: 1,
    filesUnchanged: 2,
    filesVanished: 1,
    filesWaiting: 0,
  });
});

test("the same content at two paths is two locations that share a hash", async () => {
  const { root, write, scan, record } = await field();
  write("a", "same");
  linkSync(join(root, "a"), join(root, "hard-link"));
  await scan();
  expect(await record()).toEqual([`a PRESENT 1:${short("same")}`, `hard-link PRESENT 1:${short("same")}`]);
});

test("names with every character that COPY and SQL treat specially come through", async () => {
  const names = [
    "tab\there",
    "line\nbreak",
    "return\rhere",
    "back\\slash",
    "\\N",
    "\\.",
    "quote'\"",
    "percent%_",
    " space ",
    "naïve-文件-🗂",
    "a;drop table",
  ];
  const { write, scan, source } = await field();
  for (const name of names) write(name, name);
  expect(await scan()).toMatchObject({ filesNew: names.length });
  const { rows } = await world.db.query<{ rel_path: string }>("select rel_path from cf_file_location where source_id = $1", [source.id]);
  expect(rows.map((row) => row.rel_path).toSorted()).toEqual(names.toSorted());
  expect(await scan(names)).toMatchObject({ filesSeen: names.length, filesUnchanged: names.length });
});

test("include and exclude choose files and folders", async () => {
  const { write, scan, record } = await field({ include: ["*.csv"], exclude: ["private/", "*.tmp.csv"] });
  for (const path of ["a.csv", "b.txt", "c.tmp.csv", "private/d.csv", "public/e.csv", "public/private/f.csv", ".casparian/g.csv"])
    write(path, path);
  await scan();
  expect((await record()).map((line) => line.split(" ")[0])).toEqual(["a.csv", "public/e.csv", "public/private/f.csv"]);
});

test("times that 64 bits of nanoseconds can't hold are recorded as the nearest that fits", async () => {
  const { root, write, scan } = await field();
  write("far-future", "1");
  write("before-1970", "2");
  setModified(join(root, "far-future"), 10_000_000_000);
  setModified(join(root, "before-1970"), -1_000_000);
  expect(await scan()).toMatchObject({ filesNew: 2 });
  expect(await scan()).toMatchObject({ filesUnchanged: 2, bytesHashed: 0 });
});

test("large files are hashed in pieces", async () => {
  const { root, write, scan, record } = await field();
  const content = "0123456789abcdef".repeat(200_000);
  write("large", content);
  truncateSync(join(root, "large"), content.length);
  mkdirSync(join(root, "sparse"));
  write("sparse/file", "");
  truncateSync(join(root, "sparse/file"), 40 * 1024 * 1024);
  const report = await scan();
  expect(report.bytesHashed).toBe(content.length + 40 * 1024 * 1024);
  expect(await record()).toEqual([`large PRESENT 1:${short(content)}`, `sparse/file PRESENT 1:${short(Buffer.alloc(40 * 1024 * 1024))}`]);
});

test("a link, and a file that was replaced by one", async () => {
  const { root, write, scan, record, findings } = await field();
  write("target", "T");
  write("f", "A");
  await scan();
  unlinkSync(join(root, "f"));
  symlinkSync("target", join(root, "f"));
  expect(await scan()).toMatchObject({ filesSeen: 1, filesVanished: 1, findings: 1 });
  expect(await findings()).toEqual(["LINK_INSIDE f"]);
  unlinkSync(join(root, "f"));
  write("f", "A");
  appendFileSync(join(root, "target"), "!");
  expect(await scan()).toMatchObject({ filesReappeared: 1, filesChanged: 1, findings: 0 });
  expect(await record()).toEqual([`f PRESENT 1:${short("A")}`, `target PRESENT 1:${short("T")} 2:${short("T!")}`]);
});
