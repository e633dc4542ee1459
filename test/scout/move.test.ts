import { copyFileSync, linkSync, mkdirSync, renameSync, rmSync, unlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SourceSettings } from "../../db/source-root.ts";
import { scoutWorld, type Field } from "./fixture.ts";

const world = scoutWorld();

/** A field with one file that stays, so that it is never empty. */
async function field(settings: Partial<SourceSettings> = {}): Promise<Field> {
  const place = await world.openField(settings);
  place.write("stays", "stays");
  return place;
}

/** Each link of a source's versions: where to, which version of it, and from where. */
async function moves({ source }: Field): Promise<readonly string[]> {
  const { rows } = await world.db.query<{ line: string }>(
    `select l.rel_path || ':' || v.sequence || ' from ' || fl.rel_path || ':' || f.sequence as line
     from cf_file_version v join cf_file_location l on l.id = v.location_id
     join cf_file_version f on f.id = v.moved_from_version_id join cf_file_location fl on fl.id = f.location_id
     where l.source_id = $1 order by 1`,
    [source.id],
  );
  return rows.map((row) => row.line);
}

const rename = ({ root }: Field, from: string, to: string) => renameSync(join(root, from), join(root, to));

describe("a renamed file", () => {
  test.each([
    ["by a whole scan", null],
    ["by a hint of both paths", ["old", "new"]],
    ["by a hint of its new path alone", ["new"]],
  ])("is linked to what it was, found %s", async (_name, hints) => {
    const place = await field();
    place.write("old", "content");
    await place.scan();
    rename(place, "old", "new");
    expect(await place.scan(hints)).toMatchObject({ filesNew: 1, filesVanished: 1 });
    expect(await moves(place)).toEqual(["new:1 from old:1"]);
  });

  test("is linked though its old path was found gone by an earlier scan", async () => {
    const place = await field();
    place.write("old", "content");
    await place.scan();
    rename(place, "old", "new");
    await place.scan(["old"]);
    await place.scan(["new"]);
    expect(await moves(place)).toEqual(["new:1 from old:1"]);
  });

  test("is linked once it has settled", async () => {
    const place = await field({ settleMs: 3_600_000 });
    const settled = { source: { ...place.source, settleMs: 0 } };
    place.write("old", "content");
    await place.scan(null, settled);
    rename(place, "old", "new");
    expect(await place.scan()).toMatchObject({ filesNew: 0, filesVanished: 1, filesWaiting: 1 });
    await place.scan(null, settled);
    expect(await moves(place)).toEqual(["new:1 from old:1"]);
  });

  test("that takes another's place is that one's next version", async () => {
    const place = await field();
    place.write("f", "first");
    await place.scan();
    place.write("f.part", "second");
    await place.scan();
    rename(place, "f.part", "f");
    await place.scan();
    expect(await moves(place)).toEqual(["f:2 from f.part:1"]);
  });

  test("that was empty is known by its inode", async () => {
    const place = await field();
    for (const name of ["a", "b", "c"]) place.write(name, "");
    await place.scan();
    rename(place, "b", "new");
    await place.scan();
    expect(await moves(place)).toEqual(["new:1 from b:1"]);
  });

  test("with other content since is a new file", async () => {
    const place = await field();
    place.write("old", "content");
    await place.scan();
    rename(place, "old", "new");
    place.write("new", "other");
    await place.scan();
    expect(await moves(place)).toEqual([]);
  });
});

test("files of a renamed folder are linked one by one, also those that are alike", async () => {
  const place = await field();
  for (let index = 0; index < 600; index += 1) place.write(`before/${index % 7}/f${index}`, `content ${index % 3}`);
  await place.scan();
  rename(place, "before", "after");
  expect(await place.scan(["after"])).toMatchObject({ filesNew: 600, filesVanished: 600 });
  const found = await moves(place);
  expect(found).toHaveLength(600);
  expect(found.filter((line) => !/^after(\/\d\/f\d+):1 from before\1:1$/.test(line))).toEqual([]);
});

test("rotated logs are linked though every path is still there", async () => {
  const place = await field();
  place.write("log", "newest");
  place.write("log.1", "older");
  await place.scan();
  rename(place, "log.1", "log.2");
  rename(place, "log", "log.1");
  place.write("log", "fresh");
  await place.scan(["log.2"]);
  expect(await moves(place)).toEqual(["log.1:2 from log:1", "log.2:1 from log.1:1"]);
});

test("a move to another source is linked, found there after it was missed here", async () => {
  const [inbox, archive] = [await field(), await field()];
  inbox.write("f", "content of the inbox");
  await Promise.all([inbox.scan(), archive.scan()]);
  renameSync(join(inbox.root, "f"), join(archive.root, "f"));
  await inbox.scan();
  await archive.scan();
  expect(await moves(archive)).toEqual(["f:1 from f:1"]);
});

test("a move that makes a new inode is linked where nothing else can be meant", async () => {
  const place = await field();
  for (const name of ["single", "twin"]) place.write(name, name);
  await place.scan();
  copyFileSync(join(place.root, "single"), join(place.root, "single-moved"));
  for (const copy of ["twin-1", "twin-2"]) copyFileSync(join(place.root, "twin"), join(place.root, copy));
  for (const name of ["single", "twin"]) unlinkSync(join(place.root, name));
  await place.scan();
  expect(await moves(place)).toEqual(["single-moved:1 from single:1"]);
});

describe("nothing is linked", () => {
  test("for a copy, nor for a hard link, whose original is still there", async () => {
    const place = await field();
    place.write("original", "content");
    await place.scan();
    copyFileSync(join(place.root, "original"), join(place.root, "copy"));
    linkSync(join(place.root, "original"), join(place.root, "hard-link"));
    await place.scan(["copy", "hard-link"]);
    await place.scan();
    expect(await moves(place)).toEqual([]);
  });

  test("for a new empty file that got the inode of one that was removed", async () => {
    const place = await field();
    place.write("old", "");
    utimesSync(join(place.root, "old"), 1, 1);
    await place.scan();
    unlinkSync(join(place.root, "old"));
    place.write("new", "");
    await place.scan();
    expect(await moves(place)).toEqual([]);
  });

  test("for a copy of a file that was renamed: the renamed one is it", async () => {
    const place = await field();
    place.write("old", "content");
    await place.scan();
    copyFileSync(join(place.root, "old"), join(place.root, "a-copy"));
    rename(place, "old", "z-new");
    await place.scan();
    expect(await moves(place)).toEqual(["z-new:1 from old:1"]);
  });

  test("to a file that is back at its place", async () => {
    const place = await field();
    place.write("folder/f", "content");
    await place.scan();
    renameSync(join(place.root, "folder"), `${place.root}-aside`);
    await place.scan();
    renameSync(`${place.root}-aside`, join(place.root, "folder"));
    await place.scan();
    copyFileSync(join(place.root, "folder/f"), join(place.root, "copy"));
    await place.scan();
    expect(await moves(place)).toEqual([]);
  });

  test("to what left more than a day ago", async () => {
    const place = await field();
    place.write("old", "content");
    await place.scan();
    rename(place, "old", "../kept-aside");
    await place.scan();
    await world.db.query("update cf_departure set departed_at = now() - interval '25 hours'");
    await place.scan();
    rename(place, "../kept-aside", "new");
    await place.scan();
    expect(await moves(place)).toEqual([]);
  });
});

test("a file that moves on and on has a link for each step, and none for its return", async () => {
  const place = await field();
  mkdirSync(join(place.root, "done"));
  place.write("in", "content");
  await place.scan();
  for (const [from, to] of [
    ["in", "work"],
    ["work", "done/f"],
    ["done/f", "in"],
  ] as const) {
    rename(place, from, to);
    await place.scan([to]);
  }
  expect(await moves(place)).toEqual(["done/f:1 from work:1", "work:1 from in:1"]);
  expect(await place.record()).toEqual([
    expect.stringMatching(/^done\/f VANISHED 1:\w+$/),
    expect.stringMatching(/^in PRESENT 1:\w+$/),
    expect.stringMatching(/^stays PRESENT 1:\w+$/),
    expect.stringMatching(/^work VANISHED 1:\w+$/),
  ]);
  rmSync(join(place.root, "done"), { recursive: true });
});
