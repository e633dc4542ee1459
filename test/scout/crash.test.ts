import { expect, test } from "vitest";
import { zipFiles } from "../support/archives.ts";
import { findSource, insertSource } from "../../db/source-root.ts";
import { readRecord, scoutWorld } from "./fixture.ts";
import { scanAndKill as scanAndKillProcess } from "./scan-and-kill.ts";

const world = scoutWorld();
const scanAndKill = (sourceName: string, isTime: (step: string, filesHashed: number) => boolean) =>
  scanAndKillProcess([world.url, sourceName], isTime);

test("a scan that is killed anywhere leaves what the next one completes to the same record", async () => {
  const place = await world.openField();
  for (let index = 0; index < 3_000; index += 1) place.write(`folder-${index % 30}/f${index}`, `content ${index % 700}`);
  // The same tree as another source, scanned in one go, is what it must come to.
  await insertSource(world.db, { ...place.source, name: "whole", settleMs: 0 });
  const whole = (await findSource(world.db, "whole"))!;
  await place.scan(null, { source: whole });

  expect(await scanAndKill(place.source.name, (step) => step === "walk")).not.toContain("done 0");
  expect(await scanAndKill(place.source.name, (step) => step === "compare")).not.toContain("done 0");
  expect(await scanAndKill(place.source.name, (step, hashed) => step === "hash" && hashed >= 500)).not.toContain("done 0");
  const partly = (await place.record()).length;
  expect(partly).toBeGreaterThan(0);
  expect(partly).toBeLessThan(3_000);

  const report = await place.scan();
  expect(report.filesNew + partly).toBe(3_000);
  expect(await place.record()).toEqual(await readRecord(world.db, whole.id));
  expect(await countOutbox(place.source.id)).toBe(3_000);
  const { rows } = await world.db.query("select state, count(*)::int from cf_scan where source_id = $1 group by 1 order by 1", [
    place.source.id,
  ]);
  expect(rows).toEqual([
    { state: "COMPLETED", count: 1 },
    { state: "FAILED", count: 3 },
  ]);
});

test("a scan that is killed while it opens an archive leaves no part of it, and the next one records it whole", async () => {
  const place = await world.openField({ archives: true });
  place.write("drop.zip", zipFiles(Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`f${n}`, `content ${n}`]))));
  expect(await scanAndKill(place.source.name, (step) => step === "archives")).not.toContain("done 0");
  expect(await place.record()).toHaveLength(1);
  expect(await place.scan()).toMatchObject({ filesNew: 3_000, filesUnchanged: 1 });
  expect(await countOutbox(place.source.id)).toBe(3_001);
});

async function countOutbox(sourceId: string): Promise<number> {
  const { rows } = await world.db.query<{ count: number }>(
    `select count(*)::int as count from cf_outbox o join cf_file_version v on v.id = o.file_version_id
     join cf_file_location l on l.id = v.location_id where l.source_id = $1`,
    [sourceId],
  );
  return rows[0]!.count;
}
