import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { csvPlugin, oldSdkPlugin } from "../support/samples.ts";
import { trialFolder } from "../support/trial.ts";

const folder = trialFolder();
folder.write("clean.py", csvPlugin);

test("a trial shows columns, types, counts, first rows and times, and starts no service", async () => {
  folder.write("one/a.csv", "id,name,price\n1,x,0.5\n2,,1\n3,z,\n");
  const trial = await folder.json("plugin", "test", "clean.py", "--on", "one/a.csv", "--rows", "2");
  const [file] = trial.files;
  expect(trial).toMatchObject({ failed: 0, filesLeft: 0, environment: { built: false } });
  expect(file).toMatchObject({ path: join(folder.path, "one/a.csv"), failure: null, setAside: [] });
  expect(file!.outputs).toMatchObject([
    {
      output: "output",
      rows: 3,
      columns: [
        { name: "id", type: "int64", nulls: 0 },
        { name: "name", type: expect.stringMatching(/string/) as string, nulls: 1 },
        { name: "price", type: "double", nulls: 1 },
      ],
      first: [
        ["1", "x", "0.5"],
        ["2", null, "1"],
      ],
    },
  ]);
  const { total, plugin, transport, process } = file!.timing!;
  expect(plugin).toBeGreaterThan(0);
  expect(plugin! + transport! + process!).toBeCloseTo(total, 6);
  expect(readdirSync(join(folder.path, ".casparian"))).toEqual(["environments"]);
});

test("the page for people says the same, and what to do next", async () => {
  folder.write("one/a.csv", "id,name,price\n1,x,0.5\n2,,1\n3,z,\n");
  const { stdout, exitCode } = await folder.run("plugin", "test", "clean.py", "--on", "one/a.csv", "--rows", "1");
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/one\/a\.csv {2}3 rows, .*\(plugin .*, transport .*, process .*\)/);
  expect(stdout).toMatch(/price +double +1\n/);
  expect(stdout).toContain("and 2 more (--rows)");
  expect(stdout).toContain("Next: casparian plugin publish clean.py");
});

test("a traceback points into the plugin's file, without the bridge's frames; the other files go on", async () => {
  const path = folder.write(
    "raises.py",
    `import pyarrow as pa

def parse(text):
    print("reading", text)
    return int(text)

class Handler:
    def execute(self, file_path):
        for line in open(file_path):
            yield [{"n": parse(line.strip())}]
`,
  );
  folder.write("two/good.txt", "1\n2\n");
  folder.write("two/wrong.txt", "1\nx\n");
  const trial = await folder.json("plugin", "test", "raises.py", "--on", "two");
  const [good, wrong] = trial.files;
  expect(trial.failed).toBe(1);
  expect(good).toMatchObject({ failure: null, outputs: [{ rows: 2 }] });
  expect(wrong).toMatchObject({ failure: { code: "PLUGIN_RAISED", line: 5 }, outputs: [{ rows: 1 }] });
  expect(wrong!.failure!.traceback).toContain(`File "${path}", line 10, in execute`);
  expect(wrong!.failure!.traceback).toContain(`File "${path}", line 5, in parse\n    return int(text)`);
  expect(wrong!.failure!.traceback).not.toMatch(/casparian_bridge|parent\.py/);
  expect(wrong!.logs).toMatchObject([{ stream: "stdout", text: "reading 1\nreading x\n" }]);
  const { stdout, exitCode } = await folder.run("plugin", "test", "raises.py", "--on", "two");
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/wrong\.txt {2}failed: PLUGIN_RAISED/);
  expect(stdout).toMatch(/hint: Mend the line/);
});

test("a file that is no plugin, one that is not there, and paths that stand for nothing are wrong use", async () => {
  folder.write("broken.py", "class Handler:\n    def execute(self, file_path)\n        pass\n");
  folder.write("one/a.csv", "id\n1\n");
  const says = async (...args: readonly string[]) => (await folder.run("plugin", "test", ...args)).stderr;
  expect(await says("broken.py", "--on", "one/a.csv")).toMatch(/broken\.py: it is not valid Python: .*\(line 2/);
  expect(await says("nothing.py", "--on", "one/a.csv")).toMatch(/there is no file .*nothing\.py/);
  expect(await says("clean.py", "--on", "one/b.csv")).toMatch(/there is no file one\/b\.csv/);
  expect(await says("clean.py", "--on", "one/*.txt")).toMatch(/no file matches one\/\*\.txt/);
});

test("an old plugin, and what a contract would set aside", async () => {
  folder.write("old.py", oldSdkPlugin);
  folder.write("three/a.csv", "id,price\n1,5\n2,-1\n3,x\n");
  folder.write(
    "prices.toml",
    `policy = "quarantine"\n[[columns]]\nname = "id"\ntype = "int64"\n[[columns]]\nname = "price"\ntype = "int64"\nmin = 0\n`,
  );
  const trial = await folder.json("plugin", "test", "old.py", "--on", "three/a.csv", "--contract", "prices.toml");
  expect(trial).toMatchObject({ failed: 0, warnings: [] });
  expect(trial.files[0]!.outputs).toMatchObject([
    { output: "topic_name", rows: 1, first: [["1", "5"]], changes: [expect.stringMatching(/price/)] },
  ]);
  expect(trial.files[0]!.setAside).toMatchObject([{ output: "topic_name", rows: 2 }]);
  expect(trial.files[0]!.setAside[0]!.first).toMatchObject([
    { rowNumber: 2, raw: expect.stringContaining("-1") as string },
    { rowNumber: 3, raw: expect.stringContaining("x") as string },
  ]);
});

test("columns that a contract does not take fail a file, and a contract for an output that nobody yields is said", async () => {
  folder.write("old.py", oldSdkPlugin);
  folder.write("three/a.csv", "id,price\n1,5\n");
  folder.write("frozen.json", JSON.stringify({ policy: "freeze", columns: [{ name: "id", type: "int64" }] }));
  const frozen = await folder.json("plugin", "test", "old.py", "--on", "three/a.csv", "--contract", "topic_name=frozen.json");
  expect(frozen.files[0]!.failure).toMatchObject({ code: "CONTRACT_DRIFT", hint: expect.stringMatching(/policy/) as string });
  const other = await folder.json("plugin", "test", "old.py", "--on", "three/a.csv", "--contract", "other=frozen.json");
  expect(other.warnings).toEqual(["no file gave output other, for which there is a contract; there were topic_name"]);
});

test("rows that the plugin itself sets aside, with position and reason", async () => {
  folder.write(
    "lines.py",
    `MANIFEST = {"pattern": "*.txt", "topic": "lines"}

class Handler:
    def execute(self, file_path):
        for number, line in enumerate(open(file_path), 1):
            if line.strip().isdigit():
                yield [{"n": int(line)}]
            else:
                yield "_quarantine", [{"_cf_reason": "no number", "_cf_position": f"line {number}", "text": line.strip()}]
`,
  );
  folder.write("four/a.txt", "1\nx\n3\ny\n");
  folder.write("four/none.txt", "x\n");
  const [a, none] = (await folder.json("plugin", "test", "lines.py", "--on", "four", "--rows", "1")).files;
  expect(a).toMatchObject({ failure: null, outputs: [{ output: "lines", rows: 2 }] });
  expect(a!.setAside).toMatchObject([
    {
      output: "lines",
      rows: 2,
      reasons: [{ column: null, reason: "no number", rows: 2 }],
      first: [{ filePosition: "line 2", raw: '{"text":"x"}' }],
    },
  ]);
  // A result has columns, so this job would fail.
  expect(none!.failure).toMatchObject({ code: "QUARANTINE_WITHOUT_OUTPUT" });
});

test("a plugin that imports what its environment lacks is told which lines to add", async () => {
  folder.write("imports.py", "import yaml\n\nclass Handler:\n    def execute(self, file_path):\n        yield [{'a': 1}]\n");
  folder.write("one/a.csv", "id\n1\n");
  const trial = await folder.json("plugin", "test", "imports.py", "--on", "one/a.csv");
  expect(trial.warnings).toEqual([expect.stringMatching(/imports yaml, which the standard environment does not have/)]);
  expect(trial.files[0]!.failure).toMatchObject({ code: "PLUGIN_IMPORT", hint: expect.stringMatching(/"PyYAML"/) as string });
});
