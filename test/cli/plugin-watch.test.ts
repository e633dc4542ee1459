import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { expect, test } from "vitest";
import { program } from "../support/command.ts";
import { trialFolder, type Trial } from "../support/trial.ts";

const folder = trialFolder();
const plugin = (rows: string) => `class Handler:\n    def execute(self, file_path):\n        yield ${rows}\n`;

test("with --watch a plugin is tried again on each save, also after one that can't be parsed, until Ctrl-C", async () => {
  const path = folder.write("watched.py", plugin("[{'n': 1}]"));
  folder.write("a.txt", "x");
  const child = execa(process.execPath, [program, "plugin", "test", "watched.py", "--on", "a.txt", "--watch", "--json"], {
    cwd: folder.path,
    reject: false,
  });
  const documents = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Trial> => JSON.parse(String((await documents.next()).value)) as Trial;
  const errors = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
  expect((await next()).files[0]!.outputs[0]).toMatchObject({ rows: 1, first: [["1"]] });
  writeFileSync(path, plugin("[{'n': "));
  expect(JSON.parse(String((await errors.next()).value))).toMatchObject({ error: { code: "PLUGIN_SYNTAX" } });
  writeFileSync(path, plugin("[{'n': 2}, {'n': 3}]"));
  expect(await next()).toMatchObject({
    environment: { built: false },
    files: [{ failure: null, outputs: [{ rows: 2, first: [["2"], ["3"]] }] }],
  });
  child.kill("SIGINT");
  expect((await child).exitCode).toBe(0);
});
