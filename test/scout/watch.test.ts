import { appendFileSync, chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { watch, type FSWatcher } from "chokidar";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { watchSource, type SourceWatcher } from "../../scout/watch.ts";
import { recordingLog, removeTemporaryFolders, temporaryFolder } from "./fixture.ts";

let root: string;
let log: ReturnType<typeof recordingLog>;
let hints: (readonly string[] | null)[];
let watcher: SourceWatcher;

async function start(options: { include?: readonly string[]; exclude?: readonly string[] } = {}): Promise<void> {
  watcher = watchSource({ path: root, ...options, log, onHint: (paths) => hints.push(paths) });
  expect(await watcher.ready).toBe(true);
}

beforeEach(() => {
  root = temporaryFolder();
  log = recordingLog();
  hints = [];
});
afterEach(() => watcher.close());
afterAll(removeTemporaryFolders);

const hinted = () => new Set(hints.flatMap((paths) => paths ?? ["everything"]));
const patience = { timeout: 15_000, interval: 10 };
const expectHints = (...paths: string[]) => vi.waitFor(() => expect([...hinted()]).toEqual(expect.arrayContaining(paths)), patience);

describe("a hint comes for", () => {
  test("a file that is made, appended to, renamed, removed", async () => {
    mkdirSync(join(root, "sub/deep"), { recursive: true });
    await start();
    writeFileSync(join(root, "sub/deep/a.csv"), "1");
    await expectHints("sub/deep/a.csv");
    hints = [];
    appendFileSync(join(root, "sub/deep/a.csv"), "2");
    await expectHints("sub/deep/a.csv");
    hints = [];
    renameSync(join(root, "sub/deep/a.csv"), join(root, "b.csv"));
    await expectHints("sub/deep/a.csv", "b.csv");
    hints = [];
    rmSync(join(root, "b.csv"));
    await expectHints("b.csv");
  });

  test("a new folder, and what appears in it before it is watched itself", async () => {
    await start();
    mkdirSync(join(root, "new/deep"), { recursive: true });
    writeFileSync(join(root, "new/deep/a.csv"), "1");
    await expectHints("new");
    // Looked at once more when it surely is watched.
    await vi.waitFor(() => expect(hints.filter((paths) => paths?.includes("new/deep") === true).length).toBeGreaterThan(1), patience);
    writeFileSync(join(root, "new/deep/b.csv"), "1");
    await expectHints("new/deep/b.csv");
  });

  test("a folder that moves, under both names", async () => {
    mkdirSync(join(root, "before/deep"), { recursive: true });
    await start();
    renameSync(join(root, "before"), join(root, "after"));
    await expectHints("before", "after");
  });

  test("everything, when there is too much to name", async () => {
    await start();
    for (let index = 0; index < 3_000; index += 1) writeFileSync(join(root, `f${index}`), "");
    await expectHints("everything");
  });
});

test("a burst becomes few hints, and the last write is always within one", async () => {
  await start();
  for (let index = 0; index < 200; index += 1) appendFileSync(join(root, "f"), "x");
  await expectHints("f");
  expect(hints.length).toBeLessThan(20);
});

test("what the source leaves out gives no hint", async () => {
  mkdirSync(join(root, "private"));
  await start({ include: ["*.csv"], exclude: ["private/"] });
  writeFileSync(join(root, "private/a.csv"), "1");
  writeFileSync(join(root, "b.txt"), "1");
  writeFileSync(join(root, "c.csv"), "1");
  await expectHints("c.csv");
  expect([...hinted()]).toEqual(["c.csv"]);
});

test("a root that goes and comes back is followed", async () => {
  await start();
  rmSync(root, { recursive: true });
  await expectHints("everything");
  hints = [];
  mkdirSync(root);
  await expectHints("everything");
  hints = [];
  await vi.waitFor(() => {
    appendFileSync(join(root, "f"), "x");
    expect(hinted()).toContain("f");
  }, patience);
});

test("a folder that nobody may read doesn't end the watching of the others", async () => {
  mkdirSync(join(root, "closed"));
  mkdirSync(join(root, "open"));
  chmodSync(join(root, "closed"), 0);
  await start();
  writeFileSync(join(root, "open/a"), "1");
  await expectHints("open/a");
  chmodSync(join(root, "closed"), 0o755);
  expect(log.lines.filter(({ level }) => level === "warn")).toEqual([]);
});

test("when the kernel's limit is reached it is said once, with what to do, and the process goes on", async () => {
  // The real limit is the whole machine's; to reach it would disturb others.
  const opened: FSWatcher[] = [];
  const open: typeof watch = (...given) => {
    opened.push(watch(...given));
    return opened[0]!;
  };
  watcher = watchSource({ path: root, log, onHint: (paths) => hints.push(paths) }, open);
  const error = Object.assign(new Error("System limit for number of file watchers reached"), { code: "ENOSPC" });
  opened[0]!.emit("error", error);
  opened[0]!.emit("error", error);
  expect(await watcher.ready).toBe(false);
  expect(log.lines.filter(({ level }) => level === "warn")).toEqual([
    { level: "warn", message: expect.stringContaining("periodic scan still finds them") },
  ]);
  writeFileSync(join(root, "a"), "1");
  await watcher.close();
  expect(hints).toEqual([]);
});
