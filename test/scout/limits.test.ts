import { renameSync, rmSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { array, assert, asyncProperty, constantFrom, integer, record as recordOf } from "fast-check";
import { describe, expect, test } from "vitest";
import { updateSource } from "../../db/source-root.ts";
import { outsideLimits } from "../../domain/selection.ts";
import { scoutWorld, setModified } from "./fixture.ts";

const world = scoutWorld();
const dayMs = 86_400_000;
const field = world.openField;
const brief = (record: readonly string[]) => record.map((line) => line.replaceAll(/(\d):\w+/g, "$1"));
const daysAgo = (days: number) => Date.now() / 1000 - days * 86_400;

async function messages(sourceId: string): Promise<readonly string[]> {
  const { rows } = await world.db.query<{ message: string }>("select message from cf_scan_finding where source_id = $1 order by kind", [
    sourceId,
  ]);
  return rows.map((row) => row.message);
}

test("files outside of the limits are neither hashed nor recorded, and each limit says how many, with examples", async () => {
  const { root, source, write, scan, record, findings } = await field({ sizeBytesMin: 2, sizeBytesMax: 4, ageMsMax: 30 * dayMs });
  write("empty", "");
  write("small", "1");
  write("least", "12");
  write("most", "1234");
  write("deep/large", "12345");
  write("old", "123");
  write("recent", "123");
  setModified(join(root, "old"), daysAgo(31));
  setModified(join(root, "recent"), daysAgo(29));

  expect(await scan()).toMatchObject({ filesSeen: 7, filesNew: 3, filesLeftOut: 4, filesUnchanged: 0, bytesHashed: 9, findings: 3 });
  expect(brief(await record())).toEqual(["least PRESENT 1", "most PRESENT 1", "recent PRESENT 1"]);
  expect(await findings()).toEqual(["TOO_LARGE ", "TOO_OLD ", "TOO_SMALL "]);
  const [large, old, small] = await messages(source.id);
  expect(large).toBe("1 file (5 bytes) larger than 4 bytes is left out, as the source says: deep/large");
  expect(old).toBe("1 file (3 bytes) last modified more than 30 days ago is left out, as the source says: old");
  expect(small).toMatch(/^2 files \(1 byte\) smaller than 2 bytes are left out, as the source says: (empty, small|small, empty)$/);
  const { rows } = await world.db.query("select files_left_out::int as n from cf_scan where source_id = $1", [source.id]);
  expect(rows).toEqual([{ n: 4 }]);
  expect(await scan()).toMatchObject({ filesNew: 0, filesLeftOut: 4, filesUnchanged: 3, bytesHashed: 0 });
});

test("a thousand of them are one finding with a few names", async () => {
  const { source, write, scan } = await field({ sizeBytesMin: 1 });
  for (let index = 0; index < 1_000; index += 1) write(`f${index}`, "");
  expect(await scan()).toMatchObject({ filesLeftOut: 1_000, findings: 1 });
  expect((await messages(source.id))[0]).toMatch(/^1000 files \(0 bytes\) .*, such as f\d+, f\d+, f\d+$/);
});

describe("a file on record", () => {
  test("that outgrows the limit stays present with its versions, and is taken again once it is within", async () => {
    const { write, scan, record } = await field({ sizeBytesMax: 3 });
    write("f", "1");
    write("g", "1");
    await scan();
    write("f", "1234");
    for (const paths of [null, ["f"], null])
      expect(await scan(paths)).toMatchObject({ filesLeftOut: 1, filesChanged: 0, filesVanished: 0 });
    expect(brief(await record())).toEqual(["f PRESENT 1", "g PRESENT 1"]);
    write("f", "12");
    expect(await scan()).toMatchObject({ filesChanged: 1, filesLeftOut: 0, findings: 0 });
    expect(brief(await record())).toEqual(["f PRESENT 1 2", "g PRESENT 1"]);
  });

  test("that merely grows old, or is caught by a new limit, stays as it is and is not told of", async () => {
    const { root, source, write, scan, record } = await field();
    write("f", "1");
    setModified(join(root, "f"), daysAgo(10));
    await scan();
    const limits = { ageMsMax: 5 * dayMs, sizeBytesMin: 100 };
    await updateSource(world.db, source.id, { ...source, ...limits });
    expect(await scan(null, { source: { ...source, ...limits } })).toMatchObject({ filesUnchanged: 1, filesLeftOut: 0, findings: 0 });
    expect(brief(await record())).toEqual(["f PRESENT 1"]);
  });

  test("that changes while it is too old has no further version", async () => {
    const { root, write, scan, record } = await field({ ageMsMax: 5 * dayMs });
    write("f", "1");
    await scan();
    write("f", "2");
    setModified(join(root, "f"), daysAgo(6));
    expect(await scan()).toMatchObject({ filesChanged: 0, filesLeftOut: 1, bytesHashed: 0 });
    expect(brief(await record())).toEqual(["f PRESENT 1"]);
  });

  test("that goes is called vanished; back with other content beyond the limit, it stays so; back as it was, it is present", async () => {
    const { root, write, scan, record } = await field({ sizeBytesMax: 3 });
    write("stays", "1");
    write("folder/f", "1");
    await scan();
    const aside = `${root}-aside`;
    renameSync(join(root, "folder"), aside);
    expect(await scan()).toMatchObject({ filesVanished: 1 });
    write("folder/f", "12345");
    expect(await scan()).toMatchObject({ filesReappeared: 0, filesLeftOut: 1 });
    expect(brief(await record())).toEqual(["folder/f VANISHED 1", "stays PRESENT 1"]);
    rmSync(join(root, "folder"), { recursive: true });
    renameSync(aside, join(root, "folder"));
    expect(await scan()).toMatchObject({ filesReappeared: 1, filesLeftOut: 0 });
    expect(brief(await record())).toEqual(["folder/f PRESENT 1", "stays PRESENT 1"]);
  });
});

test("a changed limit holds from the next scan: what was left out is taken", async () => {
  const { source, write, scan, record } = await field({ sizeBytesMax: 3 });
  write("f", "12345");
  expect(await scan()).toMatchObject({ filesLeftOut: 1, findings: 1 });
  expect(await scan(null, { source: { ...source, sizeBytesMax: 10 } })).toMatchObject({ filesNew: 1, filesLeftOut: 0, findings: 0 });
  expect(brief(await record())).toEqual(["f PRESENT 1"]);
});

test("a partial scan tells what nobody has told yet, and leaves the count of the whole to a whole scan", async () => {
  const { root, source, write, scan } = await field({ sizeBytesMax: 3 });
  write("a", "1");
  write("large-1", "12345");
  write("large-2", "12345");
  expect(await scan(["a"])).toMatchObject({ filesLeftOut: 0, findings: 0 });
  expect(await scan(["large-1"])).toMatchObject({ filesSeen: 1, filesLeftOut: 1, findings: 1 });
  expect((await messages(source.id))[0]).toMatch(/^at least 1 file /);
  await scan();
  expect((await messages(source.id))[0]).toMatch(/^2 files /);
  for (const paths of [["large-1"], ["a"], []]) expect(await scan(paths)).toMatchObject({ findings: 1 });
  expect((await messages(source.id))[0]).toMatch(/^2 files /);
  unlinkSync(join(root, "large-1"));
  expect(await scan(["large-1"])).toMatchObject({ filesVanished: 0, findings: 1 });
  expect(await scan()).toMatchObject({ filesLeftOut: 1 });
  unlinkSync(join(root, "large-2"));
  expect(await scan()).toMatchObject({ filesLeftOut: 0, findings: 0 });
});

test("a file that waits to settle and outgrows the limit meanwhile waits no more", async () => {
  const { write, scan } = await field({ settleMs: 60_000, sizeBytesMax: 3 });
  write("f", "1");
  expect(await scan()).toMatchObject({ filesWaiting: 1 });
  write("f", "12345");
  expect(await scan(["f"])).toMatchObject({ filesWaiting: 0, filesLeftOut: 1 });
});

test("the scan's SQL and `outsideLimits` agree on every file", async () => {
  let run = 0;
  const file = recordOf({ size: integer({ min: 0, max: 6 }), days: integer({ min: 0, max: 6 }) });
  await assert(
    asyncProperty(
      array(file, { minLength: 1, maxLength: 8 }),
      recordOf({
        sizeBytesMin: constantFrom(0, 1, 3),
        sizeBytesMax: constantFrom(null, 3, 5),
        ageMsMax: constantFrom(null, 2.5 * dayMs, 4.5 * dayMs),
      }),
      async (files, limits) => {
        run += 1;
        const { root, write, scan, record } = await field(limits);
        for (const [index, { size, days }] of files.entries()) {
          write(`run-${run}/${index}`, "x".repeat(size));
          setModified(join(root, `run-${run}/${index}`), daysAgo(days));
        }
        const taken = files.flatMap(({ size, days }, index) => {
          const outside = outsideLimits({ sizeBytes: size, modifiedAtMs: daysAgo(days) * 1000 }, limits, Date.now());
          return outside === null ? [`run-${run}/${index} PRESENT 1`] : [];
        });
        expect(await scan()).toMatchObject({ filesSeen: files.length, filesNew: taken.length, filesLeftOut: files.length - taken.length });
        expect(brief(await record())).toEqual(taken);
      },
    ),
    { numRuns: 20 },
  );
});
