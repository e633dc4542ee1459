import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { trialFolder } from "../support/trial.ts";

const folder = trialFolder();

test("a new plugin works as it is, on the kind of file that was named", async () => {
  folder.write("data/a.txt", "id,name\n1,x\n2,y\n");
  const made = await folder.run("plugin", "new", "trades", "--on", "data/a.txt");
  expect(made).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^Wrote trades\.py\nNext:\n {2}casparian plugin test trades\.py --on data\/a\.txt --watch/) as string,
  });
  expect(readFileSync(join(folder.path, "trades.py"), "utf8")).toContain('"pattern": "*.txt"');
  const trial = await folder.json("plugin", "test", "trades.py", "--on", "data");
  expect(trial).toMatchObject({ failed: 0, warnings: [], files: [{ outputs: [{ output: "trades", rows: 2 }], setAside: [] }] });
});

test("a file that is there is never overwritten, and names that can't be one are refused", async () => {
  folder.write("mine.py", "# mine\n");
  const second = await folder.run("plugin", "new", "mine");
  expect(second).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/mine\.py is there already/) as string });
  expect(readFileSync(join(folder.path, "mine.py"), "utf8")).toBe("# mine\n");
  expect(await folder.run("plugin", "new", "2026 trades")).toMatchObject({ exitCode: 2 });
  expect(existsSync(join(folder.path, "2026 trades.py"))).toBe(false);
  expect(await folder.run("plugin", "new", "trades2", "--like", "nonsense")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/there is no example "nonsense"/) as string,
  });
});
