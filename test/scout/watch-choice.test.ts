import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { blindFileSystem } from "../../scout/watch/blindness.ts";
import { watchWithChokidar } from "../../scout/watch/chokidar.ts";
import { nativeAdapter } from "../../scout/watch/native.ts";
import { isLargerThan } from "../../scout/watch/tree-size.ts";
import { watchSource, type SourceWatcher, type WatchOptions } from "../../scout/watch/watch-source.ts";
import { recordingLog, removeTemporaryFolders, temporaryFolder } from "./fixture.ts";
import { patience } from "../support/patience.ts";

let root: string;
let log: ReturnType<typeof recordingLog>;
let hints: (readonly string[] | null)[];
let opened: string[];
let watcher: SourceWatcher;

beforeEach(() => {
  root = temporaryFolder();
  log = recordingLog();
  hints = [];
  opened = [];
});
afterEach(() => watcher.close());
afterAll(removeTemporaryFolders);

/** The native adapter with another program where one is named. */
function start(options: Partial<WatchOptions>, program?: string): void {
  const native = program === undefined ? nativeAdapter() : nativeAdapter(join(import.meta.dirname, "programs", program));
  const adapters: WatchOptions["adapters"] = {
    chokidar: (...given) => (opened.push("chokidar"), watchWithChokidar(...given)),
    native: (...given) => (opened.push("native"), native(...given)),
  };
  watcher = watchSource({ path: root, log, onHint: (paths) => hints.push(paths), adapters, ...options });
}

function fill(files: number, folder = ""): void {
  mkdirSync(join(root, folder), { recursive: true });
  for (let index = 0; index < files; index += 1) writeFileSync(join(root, folder, `f${index}`), "");
}

const warnings = () => log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
const expectFollowed = (path: string) =>
  vi.waitFor(() => {
    appendFileSync(join(root, path), "x");
    expect(hints.flat()).toContain(path);
  }, patience);

describe("auto", () => {
  test("takes chokidar for a small tree", async () => {
    fill(100);
    start({ watch: "auto" });
    expect(await watcher.ready).toBe(true);
    expect(opened).toEqual(["chokidar"]);
  });

  test("takes the native watcher for a large one, and doesn't count what is left out", async () => {
    fill(5_000, "large");
    start({ watch: "auto", exclude: ["large/"] });
    expect(await watcher.ready).toBe(true);
    await watcher.close();
    start({ watch: "auto" });
    expect(await watcher.ready).toBe(true);
    expect(opened).toEqual(["chokidar", "native"]);
    expect(warnings()).toEqual([]);
  });

  test("changes to the native watcher when a flood made the tree large", async () => {
    start({ watch: "auto" });
    expect(await watcher.ready).toBe(true);
    fill(6_000);
    await vi.waitFor(() => expect(opened).toEqual(["chokidar", "native"]), patience);
    await expectFollowed("f");
  });

  test("takes chokidar where the native watcher is not installed, and says so once", async () => {
    fill(5_001);
    start({ watch: "auto" }, "misses-library.ts");
    expect(await watcher.ready).toBe(true);
    expect(opened).toEqual(["native", "chokidar"]);
    expect(warnings()).toEqual([expect.stringContaining("the native watcher can't be loaded")]);
    await expectFollowed("f");
  });

  test("watches nothing where the kernel sees no changes, and says so once", async () => {
    start({ watch: "auto", path: "/proc/sys/kernel" });
    expect(await watcher.ready).toBe(false);
    expect(opened).toEqual([]);
    expect(warnings()).toEqual([expect.stringContaining("the scheduled scans still find them")]);
  });

  test.each([
    ["NFS", 0x6969],
    ["CIFS", 0xff534d42],
    ["CIFS", -11317950],
    ["SMB2", 0xfe534d42],
    ["FUSE", 0x65735546],
  ])("knows %s by its number", (name, type) => expect(blindFileSystem(type)).toBe(name));

  test.each([
    ["ext4", 0xef53],
    ["xfs", 0x58465342],
    ["btrfs", 0x9123683e],
    ["overlayfs", 0x794c7630],
    ["tmpfs", 0x01021994],
  ])("watches %s", (_name, type) => expect(blindFileSystem(type)).toBeNull());
});

test("off opens nothing and says nothing", async () => {
  start({ watch: "off" });
  expect(await watcher.ready).toBe(false);
  writeFileSync(join(root, "a"), "1");
  expect([opened, log.lines, hints]).toEqual([[], [], []]);
});

test("a hint comes again when the file may have settled, and none after the end", async () => {
  const at: number[] = [];
  start({ watch: "chokidar", settleMs: 300, onHint: (paths) => paths?.includes("a") && at.push(performance.now()) });
  await watcher.ready;
  writeFileSync(join(root, "a"), "");
  await vi.waitFor(() => expect(at).toHaveLength(2), patience);
  expect(at[1]! - at[0]!).toBeGreaterThan(290);
  writeFileSync(join(root, "a"), "1");
  await vi.waitFor(() => expect(at).toHaveLength(3), patience);
  await watcher.close();
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(at[2]! + 400), patience);
  expect(at).toHaveLength(3);
});

test("native where it is not installed is said once, and nothing is watched", async () => {
  start({ watch: "native" }, "misses-library.ts");
  expect(await watcher.ready).toBe(false);
  expect(opened).toEqual(["native"]);
  expect(warnings()).toEqual([expect.stringContaining("can't be watched")]);
});

test("a watching process that crashes each time is given up after some attempts", async () => {
  start({ watch: "native" }, "ends-at-once.ts");
  expect(await watcher.ready).toBe(false);
  expect(opened).toEqual(Array.from({ length: 6 }, () => "native"));
  expect(warnings()).toEqual([expect.stringContaining("can't be watched")]);
});

test("a watching process that hangs in its library is ended", async () => {
  start({ watch: "native" }, "never-returns.ts");
  expect(await watcher.ready).toBe(false);
  expect(warnings()).toEqual([expect.stringContaining("can't be watched")]);
  expect(watchingProcesses()).toEqual([]);
});

test("a watching process that is killed is replaced, and everything is looked at", async () => {
  start({ watch: "native" });
  expect(await watcher.ready).toBe(true);
  const [pid] = watchingProcesses();
  process.kill(pid!, "SIGKILL");
  await vi.waitFor(() => expect(hints).toContain(null), patience);
  await expectFollowed("f");
  expect(watchingProcesses()).not.toContain(pid);
  await watcher.close();
  expect(watchingProcesses()).toEqual([]);
});

/** The processes that this one has started. */
function watchingProcesses(): readonly number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8");
  return children
    .split(" ")
    .filter((pid) => pid !== "")
    .map(Number);
}

test("a tree is counted no further than asked", async () => {
  fill(10);
  fill(10, "sub");
  const all = () => true;
  start({ watch: "off" });
  expect(await isLargerThan(21, root, all)).toBe(false);
  expect(await isLargerThan(20, root, all)).toBe(true);
  expect(await isLargerThan(11, root, (path) => path !== "sub")).toBe(false);
  expect(await isLargerThan(0, join(root, "nothing"), all)).toBe(false);
});
