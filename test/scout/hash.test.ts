import { execFileSync } from "node:child_process";
import { appendFileSync, lstatSync, renameSync, symlinkSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { hashFile, hashTasks, type HashResult } from "../../scout/hash.ts";
import { toFileStat } from "../../scout/stat.ts";
import { sha256 } from "../support/sha256.ts";
import { removeTemporaryFolders, temporaryFolder } from "./fixture.ts";

const mebibyte = 1024 * 1024;
let path: string;
beforeEach(() => {
  path = join(temporaryFolder(), "file");
});
afterAll(removeTemporaryFolders);

const task = () => ({ path, stat: toFileStat(lstatSync(path, { bigint: true })) });
const never = new AbortController().signal;

/** Hashes one file, and does something to it after so many MiB were read. */
function hash(given: ReturnType<typeof task>, meanwhile?: { readonly afterBytes: number; readonly happens: () => void }): HashResult {
  let read = 0;
  let happened = false;
  const work = hashTasks([given]);
  for (let step = work.next(); ; step = work.next()) {
    if (step.done === true) return step.value[0]!;
    read += step.value;
    if (meanwhile !== undefined && !happened && read >= meanwhile.afterBytes) {
      happened = true;
      meanwhile.happens();
    }
  }
}

test.each([0, 1, 1000, mebibyte - 1, mebibyte, mebibyte + 1, 5 * mebibyte + 7])("%i bytes", async (size) => {
  const content = Buffer.alloc(size, "some content ");
  writeFileSync(path, content);
  const expected = sha256(content);
  expect(hash(task())).toEqual({ outcome: "HASHED", hash: expected });
  expect(await hashFile(path, never)).toEqual({ hash: expected, stat: task().stat });
});

test.each([
  ["appended to", () => appendFileSync(path, "more")],
  ["truncated", () => truncateSync(path, 20 * mebibyte)],
  ["emptied", () => truncateSync(path, 0)],
  ["touched", () => utimesSync(path, 1, 1)],
  ["overwritten in place", () => writeFileSync(path, Buffer.alloc(40 * mebibyte, 2))],
  [
    "replaced by renaming another over it",
    () => {
      writeFileSync(`${path}.new`, Buffer.alloc(40 * mebibyte, 3));
      renameSync(`${path}.new`, path);
    },
  ],
  ["removed", () => unlinkSync(path)],
])("a file that is %s while it is hashed has changed", (_name, happens) => {
  writeFileSync(path, Buffer.alloc(40 * mebibyte, 1));
  expect(hash(task(), { afterBytes: 16 * mebibyte, happens })).toMatchObject({ outcome: "CHANGED" });
});

test.each([
  ["has other content", () => writeFileSync(path, "after")],
  ["is gone", () => unlinkSync(path)],
  [
    "is a link",
    () => {
      renameSync(path, `${path}.target`);
      symlinkSync(`${path}.target`, path);
    },
  ],
  [
    "is a pipe",
    () => {
      unlinkSync(path);
      execFileSync("mkfifo", [path]);
    },
  ],
])("a file that %s by the time it is opened has changed", (_name, happens) => {
  writeFileSync(path, "before");
  const seen = task();
  happens();
  expect(hash(seen)).toMatchObject({ outcome: "CHANGED" });
});

test("hashing without a thread stops when it is aborted, and refuses a file that changes", async () => {
  writeFileSync(path, Buffer.alloc(20 * mebibyte));
  const cancel = new AbortController();
  const hashing = hashFile(path, cancel.signal);
  cancel.abort(new Error("enough"));
  await expect(hashing).rejects.toThrow("enough");

  const changing = hashFile(path, never);
  appendFileSync(path, "more");
  await expect(changing).rejects.toMatchObject({ code: "FILE_CHANGING" });
});
