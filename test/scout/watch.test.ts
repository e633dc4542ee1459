import { appendFileSync, chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { hintsMax } from "../../scout/hints.ts";
import { watchSource, type SourceWatcher, type WatchOptions } from "../../scout/watch/watch-source.ts";
import { recordingLog, removeTemporaryFolders, temporaryFolder } from "./fixture.ts";
import { patience } from "../support/patience.ts";

/** What every adapter does: `scout/watch/adapter.ts`. */
describe.each(["chokidar", "native"] as const)("watching with %s", (watch) => {
  let root: string;
  let log: ReturnType<typeof recordingLog>;
  let hints: (readonly string[] | null)[];
  let watcher: SourceWatcher;

  async function start(options: Partial<WatchOptions> = {}): Promise<void> {
    watcher = watchSource({ path: root, watch, log, onHint: (paths) => hints.push(paths), ...options });
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
  const expectHints = (...paths: string[]) => vi.waitFor(() => expect([...hinted()]).toEqual(expect.arrayContaining(paths)), patience);
  const warnings = () => log.lines.filter(({ level }) => level === "warn");
  /** Writes until it is told: what was made a moment ago may not be followed yet. */
  const expectFollowed = (path: string) =>
    vi.waitFor(() => {
      appendFileSync(join(root, path), "x");
      expect(hinted()).toContain(path);
    }, patience);

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

    test("a file that is moved in from elsewhere, and out again", async () => {
      const elsewhere = temporaryFolder();
      writeFileSync(join(elsewhere, "a.csv"), "1");
      await start();
      renameSync(join(elsewhere, "a.csv"), join(root, "a.csv"));
      await expectHints("a.csv");
      hints = [];
      renameSync(join(root, "a.csv"), join(elsewhere, "a.csv"));
      await expectHints("a.csv");
    });

    test("new folders that are made at once with files in them, and for later files there", async () => {
      await start();
      mkdirSync(join(root, "new/deep/deeper"), { recursive: true });
      writeFileSync(join(root, "new/deep/deeper/a.csv"), "1");
      await expectHints("new");
      // Looked at once more when it surely is watched.
      await vi.waitFor(() => expect(hints.filter((paths) => paths?.includes("new") === true).length).toBeGreaterThan(1), patience);
      await expectFollowed("new/deep/deeper/b.csv");
      mkdirSync(join(root, "new/deep/deeper/x/y"), { recursive: true });
      await expectFollowed("new/deep/deeper/x/y/c.csv");
    });

    test("a folder that moves, under both names, and for what happens in it then", async () => {
      mkdirSync(join(root, "before/deep"), { recursive: true });
      await start();
      renameSync(join(root, "before"), join(root, "after"));
      await expectHints("before", "after");
      await expectFollowed("after/deep/a.csv");
      await expectFollowed("after/b.csv");
      renameSync(join(root, "after"), join(root, "again"));
      await expectHints("after", "again");
      await expectFollowed("again/deep/c.csv");
    });

    test("a full folder that is moved in, and out again", async () => {
      const elsewhere = temporaryFolder();
      mkdirSync(join(elsewhere, "drop/deep"), { recursive: true });
      writeFileSync(join(elsewhere, "drop/deep/a.csv"), "1");
      await start({ include: ["*.csv"] });
      renameSync(join(elsewhere, "drop"), join(root, "drop"));
      await expectHints("drop");
      await expectFollowed("drop/deep/b.csv");
      hints = [];
      renameSync(join(root, "drop"), join(elsewhere, "drop"));
      await expectHints("drop");
    });

    test("a folder that is removed, and made again", async () => {
      mkdirSync(join(root, "sub/deep"), { recursive: true });
      await start();
      rmSync(join(root, "sub"), { recursive: true });
      await expectHints("sub");
      mkdirSync(join(root, "sub/deep"), { recursive: true });
      await expectFollowed("sub/deep/a.csv");
      rmSync(join(root, "sub"), { recursive: true });
      mkdirSync(join(root, "sub/deep"), { recursive: true });
      hints = [];
      await expectFollowed("sub/deep/b.csv");
    });

    test("a root that is a symbolic link", async () => {
      mkdirSync(join(root, "real/sub"), { recursive: true });
      symlinkSync("real", join(root, "link"));
      await start({ path: join(root, "link") });
      writeFileSync(join(root, "real/sub/a.csv"), "1");
      await expectHints("sub/a.csv");
    });
  });

  test("a burst becomes few hints, and the last write is always within one", async () => {
    await start();
    for (let index = 0; index < 200; index += 1) appendFileSync(join(root, "f"), "x");
    await expectHints("f");
    expect(hints.length).toBeLessThan(20);
  });

  test("a flood becomes a few hints for everything, and what comes afterwards is told", async () => {
    mkdirSync(join(root, "sub"));
    await start();
    for (let index = 0; index < 20_000; index += 1) writeFileSync(join(root, `f${index}`), "");
    await expectHints("everything");
    await expectFollowed("sub/after.csv");
    expect(hints.length).toBeLessThan(200);
    expect(Math.max(...hints.map((paths) => paths?.length ?? 0))).toBeLessThanOrEqual(hintsMax);
  });

  test("what the source leaves out gives no hint", async () => {
    mkdirSync(join(root, "private/deep"), { recursive: true });
    mkdirSync(join(root, "a/node_modules"), { recursive: true });
    await start({ include: ["*.csv"], exclude: ["private/", "node_modules"] });
    writeFileSync(join(root, "private/deep/a.csv"), "1");
    writeFileSync(join(root, "a/node_modules/a.csv"), "1");
    mkdirSync(join(root, "a/node_modules/new"));
    writeFileSync(join(root, "b.txt"), "1");
    writeFileSync(join(root, "c.csv"), "1");
    await expectHints("c.csv");
    mkdirSync(join(root, "d/node_modules"), { recursive: true });
    await expectFollowed("d/e.csv");
    writeFileSync(join(root, "d/node_modules/a.csv"), "1");
    await expectFollowed("d/f.csv");
    expect([...hinted()].toSorted()).toEqual(["c.csv", "d", "d/e.csv", "d/f.csv"]);
  });

  test("what a symbolic link leads to is not watched", async () => {
    const elsewhere = temporaryFolder();
    symlinkSync(elsewhere, join(root, "link"));
    symlinkSync(root, join(root, "loop"));
    await start();
    writeFileSync(join(elsewhere, "a.csv"), "1");
    writeFileSync(join(root, "b.csv"), "1");
    await expectHints("b.csv");
    expect([...hinted()]).toEqual(["b.csv"]);
  });

  test("a root that goes and comes back is followed", async () => {
    await start();
    rmSync(root, { recursive: true });
    await expectHints("everything");
    hints = [];
    mkdirSync(root);
    await expectHints("everything");
    await expectFollowed("f");
  });

  test("a root that isn't there yet is watched when it is", async () => {
    rmSync(root, { recursive: true });
    watcher = watchSource({ path: root, watch, log, onHint: (paths) => hints.push(paths) });
    mkdirSync(join(root, "sub"), { recursive: true });
    expect(await watcher.ready).toBe(true);
    await expectFollowed("sub/f");
  });

  test("a root that another folder takes the place of is followed", async () => {
    await start();
    renameSync(root, `${root}-old`);
    mkdirSync(join(root, "sub"), { recursive: true });
    await expectHints("everything");
    await expectFollowed("sub/f");
    rmSync(`${root}-old`, { recursive: true });
  });

  test("a folder that nobody may read doesn't end the watching of the others", async () => {
    mkdirSync(join(root, "closed"));
    mkdirSync(join(root, "open"));
    chmodSync(join(root, "closed"), 0);
    await start();
    writeFileSync(join(root, "open/a"), "1");
    await expectHints("open/a");
    chmodSync(join(root, "closed"), 0o755);
    expect(warnings()).toEqual([]);
  });

  test("nothing is told after it was closed", async () => {
    await start();
    await watcher.close();
    writeFileSync(join(root, "a"), "1");
    const other = watchSource({ path: root, watch, log, onHint: () => {} });
    await other.ready;
    await other.close();
    expect(hints).toEqual([]);
  });
});
