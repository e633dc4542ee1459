import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { commandOn, failureOf } from "../support/command.ts";
import { testDatabase } from "../support/database.ts";
import { testTools } from "../support/tools.ts";
import { trialFolder } from "../support/trial.ts";

const { db, url, close } = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-gatekeeper-"));
const casparian = commandOn(home, url);
afterAll(async () => {
  await close();
  await rm(home, { recursive: true, force: true });
});

const code = `import os
import subprocess as s

class Handler:
    def execute(self, file_path):
        yield [{"n": eval(open(file_path).read())}]
        os.getenv("HOME")
`;

const settings = (plugins: string): string =>
  `[python]\ninterpreter = "${testTools().python}"\n[plugins]\nvulnerability_service = "off"\n${plugins}`;

test("publishing warns with places and says what was not checked; so does publishing it again; show has it from the record", async () => {
  await writeFile(join(home, "casparian.toml"), settings('gatekeeper_allow = ["environment"]\n'));
  await writeFile(join(home, "clean.py"), code);
  const first = await casparian("plugin", "publish", "clean.py");
  expect(first.exitCode).toBe(0);
  expect(first.stdout).toContain("gatekeeper: line 2, column 8: process: subprocess starts or signals processes");
  expect(first.stdout).toContain("gatekeeper: line 6, column 22: dynamic: eval runs or loads code");
  expect(first.stdout).toContain("gatekeeper: 1 finding of kinds that gatekeeper_allow names\n");
  expect(first.stdout).toContain('not checked: known vulnerabilities: vulnerability_service is "off"');
  const ofGatekeeper = (text: string) => text.split("\n").filter((line) => /^(gatekeeper|not checked): /.test(line));
  const again = await casparian("plugin", "publish", "clean.py");
  expect(again.stdout).toContain("already published with just this content");
  expect(ofGatekeeper(again.stdout)).toEqual(ofGatekeeper(first.stdout));

  const page = (await casparian("plugin", "show", "clean")).stdout;
  expect(page).toMatch(/gatekeeper +found 3 places to look at \(below\), as of /);
  expect(page).toContain("line 7, column 9: environment: os.getenv reaches for");
  expect(await casparian.json("plugin", "show", "clean")).toMatchObject({
    gatekeeper: { findings: [{ kind: "process", line: 2, column: 8 }, { kind: "dynamic" }, { kind: "environment" }] },
  });
});

test("where findings are refused, nothing is stored, and the next step is said", async () => {
  await writeFile(join(home, "casparian.toml"), settings('gatekeeper = "refuse"\ngatekeeper_allow = ["environment"]\n'));
  await writeFile(join(home, "strict.py"), code);
  const refused = await casparian("plugin", "publish", "strict.py", "--json");
  expect(refused.exitCode).toBe(1);
  expect(failureOf(refused)).toMatchObject({
    code: "PLUGIN_REFUSED",
    message: expect.stringMatching(
      /nothing was stored\n {2}line 2, column 8: process: .*\n {2}line 6, column 22: dynamic: [^\n]*$/,
    ) as string,
    hint: expect.stringContaining('"process", "dynamic"') as string,
  });
  expect((await db.query("select from cf_plugin_manifest where name = 'strict'")).rowCount).toBe(0);
});

const folder = trialFolder();

test("a trial tells what publishing would object to, without asking anybody", async () => {
  folder.write("clean.py", code);
  folder.write("a.txt", "1 + 1");
  const { stdout } = await folder.run("plugin", "test", "clean.py", "--on", "a.txt");
  expect(stdout).toContain("1 file tried: the plugin reads all of them");
  expect(stdout.split("\n").filter((line) => line.startsWith("gatekeeper: "))).toEqual([
    expect.stringContaining("line 2, column 8: process: subprocess"),
    expect.stringContaining("line 6, column 22: dynamic: eval"),
    expect.stringContaining("line 7, column 9: environment: os.getenv"),
  ]);
  expect(await folder.json("plugin", "test", "clean.py", "--on", "a.txt")).toMatchObject({
    gatekeeper: [{ kind: "process" }, { kind: "dynamic" }, { kind: "environment" }],
  });
});
