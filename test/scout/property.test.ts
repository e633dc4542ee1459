import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { array, asyncProperty, check, constant, constantFrom, integer, oneof, record, type Arbitrary, type Parameters } from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { insertSource } from "../../db/source-root.ts";
import { apply, operation, readTree, type Operation } from "./file-operations.ts";
import { removeTemporaryFolders, temporaryFolder } from "./fixture.ts";
import { createRecordModel, readLocations } from "./record-model.ts";
import { openScanServers, type Kill } from "./scan-servers.ts";

/**
 * Random file operations against scans, some of which are killed midway, with the record compared to a model after each that went through.
 * CASPARIAN_PROPERTY_RUNS sets how many sequences are tried, in whatever time that takes; CASPARIAN_PROPERTY_SEED and _PATH repeat one.
 */
const { CASPARIAN_PROPERTY_RUNS: runs, CASPARIAN_PROPERTY_SEED: seed, CASPARIAN_PROPERTY_PATH: path } = process.env;
/** Milliseconds. */
const searchMsMax = 25_000;
const shrinkMsMax = 60_000;

/** `hinted`: with what a watcher would tell. `misled`: with paths that have nothing to do with it. `meanwhile`: while files change. */
interface Step {
  readonly operations: readonly Operation[];
  readonly scan: "whole" | "hinted" | "misled" | "meanwhile";
  readonly kill: Kill | null;
}

const kill = record({
  after: constantFrom<Kill["after"][]>("asked", "walk", "compare", "hash"),
  delayMs: integer({ min: 0, max: 30 }),
});
const step = record({
  operations: array(operation, { minLength: 1, maxLength: 6 }),
  scan: constantFrom<Step["scan"][]>("whole", "whole", "hinted", "hinted", "misled", "meanwhile"),
  kill: oneof({ weight: 5, arbitrary: constant(null) }, { weight: 1, arbitrary: kill }),
});

let database: TestDatabase;
let servers: ReturnType<typeof openScanServers>;
beforeAll(async () => {
  database = await testDatabase();
  servers = openScanServers(database.url);
});
afterAll(async () => {
  await servers.close();
  await database.close();
  removeTemporaryFolders();
});

test(
  "whatever happens to files, and whenever a scan dies, the record is right after the next that goes through",
  async () => {
    const steps: Arbitrary<readonly Step[]> = array(step, { minLength: 1, maxLength: 6 });
    const property = asyncProperty(steps, follow);
    const limits: Parameters<[readonly Step[]]> =
      runs === undefined ? { numRuns: 10_000, interruptAfterTimeLimit: searchMsMax } : { numRuns: Number(runs) };
    const chosen = { ...(seed === undefined ? {} : { seed: Number(seed) }), ...(path === undefined ? {} : { path }) };
    const found = await check(property, { ...limits, ...chosen, markInterruptAsFailure: false });
    expect(found.numRuns).toBeGreaterThan(path === undefined ? 5 : 0);
    if (found.counterexamplePath === null) return;
    const { counterexamplePath: foundPath, seed: foundSeed } = found;
    // What was found at the end of the time is made smaller all the same.
    const shrunk = await check(property, { seed: foundSeed, path: foundPath, interruptAfterTimeLimit: shrinkMsMax });
    const { counterexample, errorInstance, counterexamplePath } = shrunk.counterexamplePath === null ? found : shrunk;
    throw new Error(
      `${String(errorInstance)}\nafter\n${counterexample[0].map((each) => JSON.stringify(each)).join("\n")}\nagain: CASPARIAN_PROPERTY_SEED=${foundSeed} ` +
        `CASPARIAN_PROPERTY_PATH=${counterexamplePath} npx vitest run test/scout/property.test.ts`,
    );
  },
  runs === undefined ? searchMsMax + shrinkMsMax + 60_000 : 24 * 3_600_000,
);

let count = 0;

async function follow(steps: readonly Step[]): Promise<void> {
  // Or files would be taken for moved from the sequence before.
  await database.db.query("delete from cf_departure");
  count += 1;
  const source = `property-${count}`;
  const root = temporaryFolder();
  // Without it a source may become empty, of which scans say nothing.
  writeFileSync(join(root, "always"), "");
  const { id } = (await insertSource(database.db, { name: source, path: root, settleMs: 0, include: [], exclude: [] }))!;
  const model = createRecordModel();
  const touched = new Set(["always"]);

  for (const { operations, scan, kill: death } of steps) {
    if (scan === "meanwhile") {
      const scanning = servers.scan(source, null, death);
      await changeMeanwhile(operations);
      await scanning;
      continue;
    }
    for (const each of operations) touch(each);
    const tree = readTree(root);
    const paths = { whole: null, hinted: [...touched], misled: ["dir/sub", "nowhere"] }[scan];
    const wentThrough = await servers.scan(source, paths, death);
    if (wentThrough && scan !== "misled") {
      model.check(tree, await readLocations(database.db, id));
      touched.clear();
    } else model.mayHaveSeen(tree);
  }
  await servers.scan(source, null, null);
  model.check(readTree(root), await readLocations(database.db, id));
  rmSync(root, { recursive: true });

  function touch(each: Operation): void {
    for (const hint of apply(root, each)) touched.add(hint);
  }

  /** A scan that runs may see each state, and in between a file that was opened for writing and is still empty. */
  async function changeMeanwhile(operations: readonly Operation[]): Promise<void> {
    model.mayHaveSeen(readTree(root));
    for (const each of operations) {
      await setImmediate();
      touch(each);
      const tree = readTree(root);
      const opened = "to" in each ? each.to : each.path;
      const inode = tree.get(opened)?.inode;
      if (inode !== undefined) model.mayHaveSeen(new Map([[opened, { content: "", inode }]]));
      model.mayHaveSeen(tree);
    }
  }
}
