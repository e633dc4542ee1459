import {
  appendFileSync,
  chmodSync,
  constants,
  copyFileSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { hashTasks, type HashResult } from "../../scout/hash.ts";
import { toFileStat } from "../../scout/stat.ts";
import { createCopies } from "../../snapshots/copies.ts";
import { openStore, snapshotPath, type SnapshotStore } from "../../snapshots/store.ts";
import { sha256 } from "../support/sha256.ts";
import { copiesIn, removeStores, temporaryStore, unfinishedIn } from "./store-fixture.ts";

const mebibyte = 1024 * 1024;
const files = mkdtempSync(join(tmpdir(), "casparian-copies-"));
let store: SnapshotStore & { readonly stateDir: string };
beforeEach(async () => {
  store = await temporaryStore();
});
afterAll(() => {
  removeStores();
  rmSync(files, { recursive: true });
});

let count = 0;
function write(content: Uint8Array | string): string {
  const path = join(files, `file-${(count += 1)}`);
  writeFileSync(path, content);
  return path;
}

/** Hashes and copies files in one go, and lets something happen after the first piece. */
function copy(paths: readonly string[], meanwhile?: () => void): readonly HashResult[] {
  const tasks = paths.map((path) => ({ path, stat: toFileStat(lstatSync(path, { bigint: true })) }));
  const work = hashTasks(tasks, createCopies(store.folder));
  for (let step = work.next(), first = true; ; step = work.next(), first = false) {
    if (step.done === true) return step.value;
    if (first) meanwhile?.();
  }
}

test("several programs that open a store at once open the same", async () => {
  const opened = await Promise.all(Array.from({ length: 8 }, () => openStore(join(store.stateDir, "new"))));
  expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
});

test.each([0, 1, 5_000, mebibyte, mebibyte + 1, 3 * mebibyte + 7])(
  "a copy of %i bytes is what was hashed, and only its owner may read it",
  (size) => {
    const content = Buffer.alloc(size, "some content ");
    const hash = sha256(content);
    expect(copy([write(content)])).toEqual([{ outcome: "HASHED", hash }]);
    expect(copiesIn(store)).toEqual([hash]);
    expect(readFileSync(snapshotPath(store.folder, hash)).equals(content)).toBe(true);
    expect(statSync(snapshotPath(store.folder, hash)).mode & 0o777).toBe(0o400);
    expect(unfinishedIn(store)).toEqual([]);
  },
);

test("equal contents share one copy, within a batch and between two", () => {
  const large = Buffer.alloc(2 * mebibyte, "large ");
  const paths = [write("same"), write("same"), write(large), write(large)];
  copy(paths);
  expect(copiesIn(store)).toEqual([sha256("same"), sha256(large)].toSorted());
  const { ino } = statSync(snapshotPath(store.folder, sha256("same")));
  copy(paths);
  expect(statSync(snapshotPath(store.folder, sha256("same"))).ino).toBe(ino);
  expect(copiesIn(store)).toHaveLength(2);
  expect(unfinishedIn(store)).toEqual([]);
});

test("a damaged copy of the same content is replaced", () => {
  const large = Buffer.alloc(2 * mebibyte, "large ");
  const paths = [write("small"), write(large)];
  copy(paths);
  for (const content of ["small", large]) {
    const path = snapshotPath(store.folder, sha256(content));
    chmodSync(path, 0o600);
    writeFileSync(path, Buffer.alloc(content.length, "x"));
  }
  copy(paths);
  for (const content of ["small", large]) expect(sha256(readFileSync(snapshotPath(store.folder, sha256(content))))).toBe(sha256(content));
});

test("of a file that changes while it is read there is no copy", () => {
  const path = write(Buffer.alloc(20 * mebibyte, "x"));
  expect(copy([path], () => appendFileSync(path, "more"))[0]).toMatchObject({ outcome: "CHANGED" });
  expect(copiesIn(store)).toEqual([]);
  expect(unfinishedIn(store)).toEqual([]);
});

test("where no copy can be made, the hash is there all the same, with the reason", () => {
  const small = "no room";
  const large = Buffer.alloc(2 * mebibyte, "no room ");
  // A file where a folder has to be: not even root gets around that.
  for (const content of [small, large]) writeFileSync(join(store.folder, sha256(content).slice(0, 2)), "");
  const results = copy([write(small), write(large), write("fine")]);
  expect(results).toMatchObject([
    { outcome: "HASHED", hash: sha256(small), copyFailure: expect.stringMatching(/EEXIST|ENOTDIR/) as string },
    { outcome: "HASHED", hash: sha256(large), copyFailure: expect.stringMatching(/EEXIST|ENOTDIR/) as string },
    { outcome: "HASHED", hash: sha256("fine"), copyFailure: undefined },
  ]);
  expect(unfinishedIn(store)).toEqual([]);
  rmSync(join(store.folder, "incoming"), { recursive: true });
  writeFileSync(join(store.folder, "incoming"), "");
  const other = Buffer.alloc(2 * mebibyte, "other ");
  expect(copy([write("other"), write(other)]).every((result) => result.outcome === "HASHED" && result.copyFailure !== undefined)).toBe(
    true,
  );
});

test("where the file system can, a copy shares the blocks of its file", (context) => {
  context.skip(!canClone(), "the file system of temporary files can't share blocks");
  const content = Buffer.alloc(64 * mebibyte, "x");
  const path = write(content);
  copy([path]);
  expect(sha256(readFileSync(snapshotPath(store.folder, sha256(content))))).toBe(sha256(content));
  writeFileSync(path, "changed since");
  expect(statSync(snapshotPath(store.folder, sha256(content))).size).toBe(content.length);
});

function canClone(): boolean {
  const from = write("x");
  try {
    copyFileSync(from, `${from}-clone`, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  }
}
