import { chmod, mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, expect, test } from "vitest";
import { removeFolder } from "../../bridge/scratch.ts";
import { ownFolder } from "../../workers/own-folder.ts";

const shared = await mkdtemp(join(tmpdir(), "casparian-own-"));
afterAll(() => removeFolder(shared));

test("folders of killed processes go; those of running ones stay, and those of which it can't be seen", async () => {
  const ended = execa(process.execPath, ["-e", ""]);
  await ended;
  const other = ["elsewhere-1", `elsewhere-${process.pid}`, `${hostname()}-${process.ppid}`];
  for (const name of [...other, `${hostname()}-${ended.pid}`, `${hostname()}-${process.pid}`]) {
    await mkdir(join(shared, name, "job-1"), { recursive: true });
    await writeFile(join(shared, name, "job-1", "left"), "");
    // As a plugin may leave it; root may go in all the same.
    await chmod(join(shared, name, "job-1"), 0);
  }
  const own = await ownFolder(shared);
  expect(await readdir(own)).toEqual([]);
  expect((await readdir(shared)).toSorted()).toEqual([...other, `${hostname()}-${process.pid}`].toSorted());
});
