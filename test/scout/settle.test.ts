import { appendFileSync, closeSync, lstatSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { scoutWorld, setModified, type Field } from "./fixture.ts";
import { patience } from "../support/patience.ts";

const world = scoutWorld();
const field = (settleMs: number) => world.openField({ settleMs });
/** Longer than any test takes, on however busy a machine. */
const hour = 3_600_000;

/** Scans what is due, under a settle time that passes, until nothing waits. */
async function settle({ scan, source }: Field, settleMs = 50): Promise<void> {
  const options = { source: { ...source, settleMs } };
  await vi.waitFor(async () => expect((await scan([], options)).filesWaiting).toBe(0), patience);
}

test("a file waits until it has not changed for the settle time, and is taken then", async () => {
  const place = await field(hour);
  place.write("f", "A");
  const changed = Number(lstatSync(join(place.root, "f"), { bigint: true }).ctimeNs / 1_000_000n);

  const report = await place.scan();
  expect(report).toMatchObject({ filesSeen: 1, filesNew: 0, filesUnchanged: 0, filesWaiting: 1 });
  expect(Math.abs(report.nextSettleAt!.getTime() - changed - hour)).toBeLessThan(50);
  expect(await place.record()).toEqual([]);

  await settle(place);
  expect(await place.record()).toHaveLength(1);
});

test("what is due is found without being named, at the time that was told", async () => {
  const place = await field(2_000);
  // On a machine so busy that the scan itself takes longer, the next file is seen in time.
  const nextSettleAt = await vi.waitFor(async () => {
    place.write(`f-${performance.now()}`, "A");
    const report = await place.scan();
    expect(report.nextSettleAt).not.toBeNull();
    return report.nextSettleAt!;
  }, patience);
  await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(nextSettleAt.getTime()), patience);
  expect(await place.scan([])).toMatchObject({ filesSeen: 1, filesNew: 1, filesWaiting: 0, nextSettleAt: null });
});

test("a file that a writer keeps appending to waits, then has one version with everything", async () => {
  const place = await field(2_000);
  const file = openSync(join(place.root, "growing.csv"), "a");
  let lines = 0;
  const writing = setInterval(() => writeSync(file, `${(lines += 1)}\n`), 20);

  for (let turn = 0; turn < 15; turn += 1) expect(await place.scan()).toMatchObject({ filesNew: 0, filesWaiting: 1 });
  await vi.waitFor(() => expect(lines).toBeGreaterThan(60), patience);
  expect(await place.scan()).toMatchObject({ filesNew: 0, filesWaiting: 1 });
  clearInterval(writing);
  closeSync(file);
  await settle(place, 2_000);

  expect(await place.record()).toHaveLength(1);
  const { rows } = await world.db.query(
    "select v.size_bytes::int from cf_file_version v join cf_file_location l on l.id = v.location_id where l.source_id = $1",
    [place.source.id],
  );
  const size = Array.from({ length: lines }, (_, index) => `${index + 1}\n`).join("").length;
  expect(rows).toEqual([{ size_bytes: size }]);
});

test("an old file that was only moved in waits by its ctime", async () => {
  const place = await field(hour);
  place.write("f", "A");
  setModified(join(place.root, "f"), 1_000_000);
  expect(await place.scan()).toMatchObject({ filesNew: 0, filesWaiting: 1 });
});

test("a file from the future settles by observation", async () => {
  const place = await field(hour);
  place.write("f", "A");
  setModified(join(place.root, "f"), Date.now() / 1000 + 86_400);
  const report = await place.scan();
  expect(report).toMatchObject({ filesNew: 0, filesWaiting: 1 });
  expect(report.nextSettleAt!.getTime() - Date.now()).toBeLessThanOrEqual(hour);
  await settle(place);
  expect(await place.record()).toHaveLength(1);
});

test("a changed file keeps its present version on record while it waits", async () => {
  const place = await field(hour);
  place.write("f", "A");
  await place.scan();
  await settle(place);
  const before = await place.record();
  appendFileSync(join(place.root, "f"), "B");
  expect(await place.scan()).toMatchObject({ filesChanged: 0, filesWaiting: 1 });
  expect(await place.record()).toEqual(before);
  await settle(place);
  expect((await place.record())[0]).toContain(" 2:");
});

test("a file that goes while it waits is forgotten", async () => {
  const place = await field(hour);
  place.write("stays", "1");
  place.write("goes", "2");
  await place.scan();
  unlinkSync(join(place.root, "goes"));
  await settle(place);
  expect((await place.record()).map((line) => line.split(" ")[0])).toEqual(["stays"]);
});

test("a file that is renamed while it waits settles under its new name", async () => {
  const place = await field(hour);
  place.write("upload.part", "1");
  await place.scan();
  renameSync(join(place.root, "upload.part"), join(place.root, "upload.csv"));
  await place.scan(["upload.csv", "upload.part"]);
  await settle(place);
  expect((await place.record()).map((line) => line.split(" ")[0])).toEqual(["upload.csv"]);
});

test("the first of several decides when to look again", async () => {
  const place = await field(hour);
  place.write("a", "1");
  const first = await place.scan();
  place.write("b", "2");
  const second = await place.scan();
  expect(second.filesWaiting).toBe(2);
  expect(Math.abs(second.nextSettleAt!.getTime() - first.nextSettleAt!.getTime())).toBeLessThan(100);
});
