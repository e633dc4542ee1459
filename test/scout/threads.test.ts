import { lstatSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { toFileStat } from "../../scout/stat.ts";
import { chunksAheadMax, createScoutThreads, type ScoutThreads } from "../../scout/threads.ts";
import { removeTemporaryFolders, temporaryFolder } from "./fixture.ts";
import { patience } from "../support/patience.ts";

let threads: ScoutThreads;
beforeAll(() => {
  threads = createScoutThreads(2);
});
afterAll(async () => {
  await threads.close();
  removeTemporaryFolders();
});

const never = new AbortController().signal;
const request = (root: string) => ({ root, include: [], exclude: [], paths: null });

function folderOf(files: number): string {
  const root = temporaryFolder();
  const long = "x".repeat(200);
  for (let index = 0; index < files; index += 1) writeFileSync(join(root, `${long}-${index}`), "");
  return root;
}

test("a walk waits for whoever takes its chunks", async () => {
  const walk = threads.walk(request(folderOf(12_000)), never);
  let chunks = 0;
  let files = 0;
  for (let step = await walk.next(); step.done !== true; step = await walk.next()) {
    chunks += 1;
    files += step.value.files;
  }
  expect(files).toBe(12_000);
  expect(chunks).toBeGreaterThan(chunksAheadMax);
});

test("a walk that nobody goes on with, and one that is aborted, free their threads", async () => {
  const root = folderOf(12_000);
  for (let turn = 0; turn < 4; turn += 1) {
    const left = threads.walk(request(root), never);
    await left.next();
    await left.return({ scope: null, rootIsEmpty: false });
    const cancel = new AbortController();
    const aborted = threads.walk(request(root), cancel.signal);
    await aborted.next();
    cancel.abort(new Error("enough"));
    await expect(drain(aborted)).rejects.toThrow("enough");
  }
  await expect(drain(threads.walk(request(root), never))).resolves.toMatchObject({ scope: null });
});

test("closing ends every thread, also one whose work nobody takes to its end", async () => {
  const own = createScoutThreads(1);
  const left = own.walk(request(folderOf(12_000)), never);
  await left.next();
  await own.close();
  await expect(left.next()).rejects.toThrow("ended by itself");
});

const taskOf = (path: string) => ({ path, stat: toFileStat(lstatSync(path, { bigint: true })) });

test("more work than threads has its turn", async () => {
  const path = join(temporaryFolder(), "x");
  writeFileSync(path, Buffer.alloc(5 * 1024 * 1024));
  const results = await Promise.all(Array.from({ length: 20 }, () => drain(threads.hash([taskOf(path)], never))));
  expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
  expect(results[0]).toMatchObject([{ outcome: "HASHED" }]);
});

test("large files hold up neither walks nor small files", async () => {
  const root = temporaryFolder();
  writeFileSync(join(root, "small"), "content");
  writeFileSync(join(root, "large"), "");
  truncateSync(join(root, "large"), 512 * 1024 ** 3);
  const cancel = new AbortController();
  const large = Array.from({ length: 4 }, () => drain(threads.hash([taskOf(join(root, "large"))], cancel.signal)));
  const outcomes = Promise.allSettled(large);

  expect(await drain(threads.hash([taskOf(join(root, "small"))], never))).toMatchObject([{ outcome: "HASHED" }]);
  expect(await drain(threads.walk(request(root), never))).toMatchObject({ scope: null });

  cancel.abort(new Error("enough"));
  expect((await outcomes).map((outcome) => outcome.status)).toEqual(["rejected", "rejected", "rejected", "rejected"]);
});

test("who waits for a place among the large ones and is aborted waits no more, and the place goes to the next", async () => {
  const pool = createScoutThreads(1);
  const root = temporaryFolder();
  for (const name of ["endless", "large"]) writeFileSync(join(root, name), "");
  truncateSync(join(root, "endless"), 512 * 1024 ** 3);
  truncateSync(join(root, "large"), 5 * 1024 ** 2);
  const [inside, outside] = [new AbortController(), new AbortController()];
  const endless = drain(pool.hash([taskOf(join(root, "endless"))], inside.signal));
  const aborted = drain(pool.hash([taskOf(join(root, "large"))], outside.signal));
  const next = drain(pool.hash([taskOf(join(root, "large"))], never));

  outside.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  inside.abort(new Error("it, too"));
  await expect(endless).rejects.toThrow("it, too");
  expect(await next).toMatchObject([{ outcome: "HASHED" }]);
  await pool.close();
});

test("what fails in a thread arrives as what it is", async () => {
  await expect(drain(threads.walk(request("/nowhere/at/all"), never))).rejects.toMatchObject({
    name: "TerminalFailure",
    code: "SOURCE_ROOT_MISSING",
  });
});

test("idle threads don't hold the process, and a pool may be closed and used again", async () => {
  const pool = createScoutThreads(1);
  await drain(pool.walk(request(folderOf(1)), never));
  await pool.close();
  await vi.waitFor(async () => expect(await drain(pool.walk(request(folderOf(1)), never))).toMatchObject({ scope: null }), patience);
  await pool.close();
});

async function drain<End>(work: AsyncGenerator<unknown, End>): Promise<End> {
  for (;;) {
    const step = await work.next();
    if (step.done === true) return step.value;
  }
}
