import { existsSync, lstatSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { array, assert, asyncProperty, constant, constantFrom, oneof, record as recordOf } from "fast-check";
import { describe, expect, test } from "vitest";
import { insertSource, findSource } from "../../db/source-root.ts";
import { hintsMax, tidyHints } from "../../scout/hints.ts";
import { scanSource } from "../../scout/scan.ts";
import { readRecord, recordingLog, scoutWorld, temporaryFolder } from "./fixture.ts";

const world = scoutWorld();
const field = world.openField;
const paths = (record: readonly string[]) => record.map((line) => line.split(" ").slice(0, 2).join(" "));

test("a hint of a file looks at that file only", async () => {
  const { write, scan, record } = await field();
  write("a", "1");
  write("b", "2");
  expect(await scan(["a"])).toMatchObject({ filesSeen: 1, filesNew: 1 });
  expect(paths(await record())).toEqual(["a PRESENT"]);
  write("a", "3");
  write("b", "4");
  expect(await scan(["b"])).toMatchObject({ filesSeen: 1, filesNew: 1 });
});

test("a hint of a folder looks at everything below, and at nothing beside", async () => {
  const { root, write, scan, record } = await field();
  for (const path of ["sub/a", "sub/deep/b", "sub-way/c", "sub.csv", "other/d"]) write(path, path);
  await scan();
  rmSync(join(root, "sub"), { recursive: true });
  rmSync(join(root, "sub-way"), { recursive: true });
  expect(await scan(["sub"])).toMatchObject({ filesSeen: 0, filesVanished: 2 });
  expect(paths(await record())).toEqual([
    "other/d PRESENT",
    "sub-way/c PRESENT",
    "sub.csv PRESENT",
    "sub/a VANISHED",
    "sub/deep/b VANISHED",
  ]);
});

test("a hint below what is gone, or no folder any more, stands for that", async () => {
  const { root, write, scan, record } = await field();
  for (const path of ["a/b/c", "a/b/d", "x/y", "stays"]) write(path, path);
  await scan();
  rmSync(join(root, "a"), { recursive: true });
  rmSync(join(root, "x"), { recursive: true });
  write("x", "now a file");
  expect(await scan(["a/b/c", "x/y"])).toMatchObject({ filesSeen: 1, filesVanished: 3, filesNew: 1 });
  expect(paths(await record())).toEqual(["a/b/c VANISHED", "a/b/d VANISHED", "stays PRESENT", "x PRESENT", "x/y VANISHED"]);
});

test("names in which SQL patterns have a meaning are taken as they are", async () => {
  const { root, write, scan, record } = await field();
  const folders = ["a_c", "abc", "a%", "ab"];
  for (const path of [...folders.map((folder) => `${folder}/f`), "stays"]) write(path, path);
  await scan();
  for (const folder of folders) rmSync(join(root, folder), { recursive: true });
  await scan(["a_c", "a%"]);
  expect(paths(await record())).toEqual(["a%/f VANISHED", "a_c/f VANISHED", "ab/f PRESENT", "abc/f PRESENT", "stays PRESENT"]);
});

test("long paths are found below a long folder", async () => {
  const { root, write, scan, record } = await field();
  const folder = `${"ä".repeat(120)}/${"b".repeat(200)}`;
  write(`${folder}/one`, "1");
  write(`${folder}x/two`, "2");
  await scan();
  rmSync(join(root, folder), { recursive: true });
  expect(await scan([folder])).toMatchObject({ filesVanished: 1 });
  expect((await record()).map((line) => line.split(" ")[1])).toEqual(["VANISHED", "PRESENT"]);
});

test("the same hint in several forms, and hints within hints, count once", async () => {
  const { root, write, scan } = await field();
  write("sub/a", "1");
  expect(await scan(["sub/a", "./sub/a", "sub//a", `${root}/sub/a`, "sub/", "sub"])).toMatchObject({ filesSeen: 1, filesNew: 1 });
});

describe("tidyHints", () => {
  test("leaves out and tells what leads out of the root", () => {
    const refused: string[] = [];
    expect(tidyHints(["a", "../b", "/etc/passwd", "c/../../d", "/data/in/e"], "/data/in", (path) => refused.push(path))).toEqual([
      "a",
      "e",
    ]);
    expect(refused).toEqual(["../b", "/etc/passwd", "c/../../d"]);
  });
  test("makes a full scan of too many, and of the root itself", () => {
    const many = Array.from({ length: hintsMax + 1 }, (_, index) => `f${index}`);
    expect(tidyHints(many.slice(1), "/r", () => {})).toHaveLength(hintsMax);
    expect(tidyHints(many, "/r", () => {})).toBeNull();
    expect(tidyHints(["a", "."], "/r", () => {})).toBeNull();
    expect(tidyHints(["/r"], "/r", () => {})).toBeNull();
  });
});

/** Few names, so that operations meet; some that could be taken for another's prefix. */
const name = constantFrom("a", "ab", "b", "a.b", "c d");
const path = array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const operation = oneof(
  recordOf({ kind: constant("write"), path, content: constantFrom("1", "2", "too large") }),
  recordOf({ kind: constant("remove"), path }),
  recordOf({ kind: constant("rename"), path, to: path }),
  recordOf({ kind: constant("link"), path, to: path }),
);
type Operation = { kind: string; path: string; content?: string; to?: string };

test.each([
  ["", null],
  [" within limits", 2],
])("partial scans of what was touched record the same as full scans%s", async (_, sizeBytesMax) => {
  const { db, threads } = world;
  let run = 0;
  await assert(
    asyncProperty(array(array(operation, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 }), async (rounds) => {
      const root = temporaryFolder();
      // Without it a source may become empty, of which scans say nothing.
      writeFileSync(join(root, "always"), "");
      run += 1;
      const [byHints, whole] = await Promise.all(
        ["hinted", "whole"].map(async (kind) => {
          const sourceName = `${kind}-${sizeBytesMax}-${run}`;
          await insertSource(db, { name: sourceName, path: root, settleMs: 0, sizeBytesMax });
          return (await findSource(db, sourceName))!;
        }),
      );
      const scan = (source: NonNullable<typeof whole>, hints: readonly string[] | null) =>
        scanSource({ db, source, paths: hints, threads, log: recordingLog(), signal: new AbortController().signal });
      await scan(byHints!, ["always"]);
      for (const operations of rounds) {
        const hints = operations.flatMap((each) => apply(root, each));
        const partial = await scan(byHints!, hints);
        const full = await scan(whole!, null);
        // What limits leave out is counted by full scans only.
        if (sizeBytesMax === null) expect(partial.findings).toBe(full.findings);
        expect(await readRecord(db, byHints!.id)).toEqual(await readRecord(db, whole!.id));
      }
      rmSync(root, { recursive: true });
    }),
    { numRuns: 25 },
  );
});

/** Does one thing to the tree where it can be done, and returns the paths that a watcher would name. */
function apply(root: string, { kind, path: relPath, content, to }: Operation): readonly string[] {
  const target = join(root, relPath);
  try {
    if (kind === "remove") rmSync(target, { recursive: true, force: true });
    else if (kind === "write") {
      mkdirSync(dirname(target), { recursive: true });
      // Or it would write to where the link leads.
      if (lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink() === true) rmSync(target);
      writeFileSync(target, content ?? "");
    } else {
      mkdirSync(dirname(join(root, to ?? "")), { recursive: true });
      if (kind === "rename") renameSync(target, join(root, to ?? ""));
      else if (!existsSync(join(root, to ?? ""))) symlinkSync(target, join(root, to ?? ""));
    }
  } catch (error) {
    // A folder where a file is wanted, and the like: then nothing happened there.
    if (!(error instanceof Error && "code" in error)) throw error;
  }
  return (to === undefined ? [relPath] : [relPath, to]).map((named) => throughLinks(root, named));
}

/** A watcher names the place itself, by whatever links it was reached. */
function throughLinks(root: string, relPath: string): string {
  const folder = dirname(join(root, relPath));
  return existsSync(folder) ? relative(root, join(realpathSync(folder), basename(relPath))) : relPath;
}
