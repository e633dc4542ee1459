import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { defaultSettings, findSource, insertSource, updateSource, type WatchMode } from "../../db/source-root.ts";
import type { Log } from "../../domain/log.ts";
import type { ScanWish } from "../../workers/request-scan.ts";
import { watchSources } from "../../workers/watch-sources.ts";
import { removeTemporaryFolders, temporaryFolder } from "../scout/fixture.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { quietLog } from "../support/quiet-log.ts";
import { patience } from "../support/patience.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(async () => {
  await database.close();
  removeTemporaryFolders();
});

test("how a source is watched changes in a running system, and off is off", async () => {
  const root = temporaryFolder();
  const { db } = database;
  await insertSource(db, { name: "inbox", path: root, watch: "auto" });
  const source = (await findSource(db, "inbox"))!;
  const set = (watch: WatchMode) => updateSource(db, source.id, { ...defaultSettings, watch });
  const opened: unknown[] = [];
  const log: Log = { ...quietLog, debug: (message, fields) => void (message === "a folder is watched" && opened.push(fields?.["with"])) };
  const asked: string[] = [];
  const requestScan = async (_source: unknown, wish: ScanWish): Promise<void> => void (typeof wish === "string" || asked.push(...wish));
  const watching = watchSources({ db, log, isOurs: () => true, requestScan });
  try {
    await vi.waitFor(() => expect(opened).toEqual(["chokidar"]), patience);
    await set("native");
    await vi.waitFor(() => expect(opened).toEqual(["chokidar", "native"]), patience);
    await vi.waitFor(() => {
      writeFileSync(join(root, "a"), "1");
      expect(asked).toContain("a");
    }, patience);
    expect(processesBelow()).toHaveLength(1);
    await set("off");
    await vi.waitFor(() => expect(processesBelow()).toEqual([]), patience);
    expect(opened).toEqual(["chokidar", "native"]);
  } finally {
    await watching.stop();
  }
});

/** The native watcher is one. */
function processesBelow(): readonly string[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8");
  return children.split(" ").filter((pid) => pid !== "");
}
