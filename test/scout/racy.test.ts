import { execFileSync } from "node:child_process";
import { lstatSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { transaction } from "../../db/pool.ts";
import { compareSeen, openSeen, prepareSeen } from "../../db/scan-difference.ts";
import { seenFileLine } from "../../db/seen-line.ts";
import { restOfTickMs } from "../../domain/clock-resolution.ts";
import { hashTasks } from "../../scout/hash.ts";
import { toFileStat } from "../../scout/stat.ts";
import { scoutWorld, temporaryFolder } from "./fixture.ts";

const world = scoutWorld();

test("a file is not read within the tick of the clock in which it changed", () => {
  const path = join(temporaryFolder(), "f");
  for (let round = 0; round < 10; round += 1) {
    writeFileSync(path, `content ${round}`);
    const stat = toFileStat(lstatSync(path, { bigint: true }));
    const reading = hashTasks([{ path, stat }]);
    reading.next();
    // The first bytes were read; they were not before the tick was over.
    expect(Date.now() - Number(stat.ctimeNs / 1_000_000n)).toBeGreaterThanOrEqual(20);
  }
});

describe("the rest of the tick", () => {
  const stat = { sizeBytes: 1, mtimeNs: 5_000_000_000n, ctimeNs: 1_000_000_000n, inode: 1n };
  test.each([
    ["of a change long ago", 9_000, 0],
    ["of one just now, by whichever time is later", 5_000, 20],
    ["of one some milliseconds ago", 5_015, 5],
    ["of one by a clock that goes a little ahead", 4_990, 30],
    ["of one by a clock that goes wrong", 3_000, 0],
  ])("%s", (_name, nowMs, rest) => expect(restOfTickMs(stat, nowMs)).toBe(rest));
});

/**
 * Some file systems give a finer ctime to a file that was looked at; ramfs goes by the tick. Mounted where no other process sees it; where
 * this user may not, the test runs on what there is.
 */
test("no change is missed that comes within the tick of the one before", () => {
  const folder = temporaryFolder();
  const run = [process.execPath, fileURLToPath(new URL("coarse-clock.ts", import.meta.url)), folder];
  const canMount = succeeds("unshare", "-rm", "mount", "-t", "ramfs", "none", folder);
  const [command, ...args] = canMount ? ["unshare", "-rm", "sh", "-c", 'mount -t ramfs none "$0" && exec "$@"', folder, ...run] : run;
  const found = JSON.parse(execFileSync(command!, args, { encoding: "utf8" })) as { unnoticed: number; missed: number };
  if (canMount) expect(found.unnoticed).toBeGreaterThan(50);
  expect(found.missed).toBe(0);
});

function succeeds(command: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("where a clock counts in seconds", () => {
  const nowMs = 1_700_000_000_000;
  const agoNs = (ms: number): bigint => BigInt(nowMs - ms) * 1_000_000n;

  /** Compares one file, seen for the first time, as a source without a settle time would. */
  async function waits(ctimeNs: bigint, settleMs = 0): Promise<boolean> {
    const { source } = await world.openField();
    const differences = await transaction(world.db, async (tx) => {
      await prepareSeen(tx);
      await new Promise<void>((resolve, reject) =>
        openSeen(tx)
          .on("error", reject)
          .on("finish", resolve)
          .end(seenFileLine("f", 1n, agoNs(60_000), ctimeNs, 1n)),
      );
      return compareSeen(tx, { sourceId: source.id, scope: null, limits: source, settleMs, nowMs });
    });
    return differences.waits === 1;
  }

  test("a file waits for two seconds at least", async () => {
    expect(await waits(agoNs(1_000))).toBe(true);
    expect(await waits(agoNs(2_000))).toBe(true);
    expect(await waits(agoNs(3_000))).toBe(false);
    expect(await waits(agoNs(3_000), 5_000)).toBe(true);
  });

  test("elsewhere it does not", async () => {
    expect(await waits(agoNs(1_000) + 1n)).toBe(false);
  });
});
