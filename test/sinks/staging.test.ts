import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openStaging, removeStaging } from "../../sinks/files/staging.ts";

const base = await mkdtemp(join(tmpdir(), "casparian-staging-"));
afterAll(() => rm(base, { recursive: true, force: true }));

test("outputs that begin while others end and remove the empty staging folder find it each time", async () => {
  const folder = join(base, "output");
  const lanes = Array.from({ length: 8 }, async (_, lane) => {
    for (let round = 0; round < 400; round++) {
      const staging = await openStaging(folder, `${lane}-${round}.staged`);
      await staging.handle.close();
      await removeStaging(folder, staging.name);
    }
  });
  await Promise.all(lanes);
  expect(await readdir(folder)).toEqual([]);
});
