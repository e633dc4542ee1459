import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { isUsed } from "../../bridge/environment-use.ts";
import { createPluginPool } from "../../bridge/pool.ts";
import { sandboxCapabilities } from "../../bridge/sandbox.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testTools } from "../support/tools.ts";
import { makeBareEnvironment } from "./bare-environment.ts";
import { descendantsOf, isAlive, processesNamed, untilAsleep } from "./processes.ts";
import { createRunner, pluginPath, rowsOf } from "./run-plugin.ts";
import { patience } from "../support/patience.ts";

const runner = createRunner();
/** Names of at most 15 letters that nobody else has. */
const sleeper = `cf-${process.pid}-s`;
const sender = `cf-${process.pid}-d`;

test("several files at once in forks of one parent", async () => {
  const before = descendantsOf(process.pid).length;
  const all = await Promise.all(Array.from({ length: 8 }, (_, n) => runner.run({ plugin: "no_sdk", input: `n\n${n}\n` })));
  expect(all.map((collected) => rowsOf(collected)[0]?.["n"])).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n]);
  // The launcher, the keeper of the namespaces and the warm parent itself.
  expect(descendantsOf(process.pid).length - before).toBeLessThanOrEqual(3);
});

test("an abort ends the plugin with all that it has started, then rejects with the signal's reason", async () => {
  const controller = new AbortController();
  const run = runner.run({ plugin: "sleeps_by_name", input: sleeper, signal: controller.signal });
  await vi.waitFor(() => expect(processesNamed(sleeper)).toHaveLength(2), patience);
  controller.abort(new Error("not wanted any more"));
  await expect(run).rejects.toThrow("not wanted any more");
  expect(processesNamed(sleeper)).toEqual([]);
  expect(scratchFolders()).toEqual([]);
});

test("an abort before the run, and one while the parent starts", async () => {
  await expect(runner.run({ plugin: "no_sdk", signal: AbortSignal.abort(new Error("too late")) })).rejects.toThrow("too late");
  const controller = new AbortController();
  const run = runner.run({ plugin: "several_outputs", signal: controller.signal });
  controller.abort(new Error("while it starts"));
  await expect(run).rejects.toThrow("while it starts");
});

test("what a handler throws ends the plugin and is thrown", async () => {
  const broken = new Error("the disk is full");
  const run = runner.run({ plugin: "large", handlers: { message: () => Promise.reject(broken) } });
  await expect(run).rejects.toBe(broken);
});

test("a slow handler holds the plugin back", async () => {
  const source = [
    "import ctypes, time, pyarrow as pa",
    "class Handler:",
    "    def execute(self, file_path):",
    `        ctypes.CDLL(None).prctl(15, b'${sender}', 0, 0, 0)  # PR_SET_NAME`,
    "        for _ in range(10):",
    "            yield pa.table({'made': [time.time() * 1000] * 60_000, 'text': ['x' * 50] * 60_000})",
  ].join("\n");
  const madeAt: number[] = [];
  let released = 0;
  await runner.run({
    source,
    handlers: {
      message: async (_output, message) => {
        if (madeAt.length === 0) await untilAsleep(sender);
        released ||= Date.now();
        madeAt.push(firstValue(message.bytes));
      },
    },
  });
  expect(madeAt).toHaveLength(10);
  expect(madeAt.at(-1)).toBeGreaterThan(released);
});

/** Of a batch whose first column holds numbers and no nulls, so that its body begins with them. */
function firstValue(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getFloat64(8 + view.getInt32(4, true), true);
}

test("a parent that is killed: the run fails as transient, the next one works", async () => {
  const failing = runner.fail({ plugin: "sleeps_by_name", input: sleeper });
  await vi.waitFor(() => expect(processesNamed(sleeper)).toHaveLength(2), patience);
  const parents = descendantsOf(process.pid).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("parent.py"));
  for (const pid of parents) process.kill(pid, "SIGKILL");
  const failure = await failing;
  expect([failure.name, failure.code]).toEqual(["TransientFailure", "PLUGIN_PARENT_LOST"]);
  await vi.waitFor(() => expect(processesNamed(sleeper)).toEqual([]), patience);
  expect((await runner.run({ plugin: "no_sdk" })).outputs).toEqual([{ output: "output", rowsSent: 2 }]);
});

test("an import that ends the parent is the job's failure", async () => {
  const environment = makeBareEnvironment();
  try {
    writeFileSync(join(environment.packages, "ender.py"), "import os\nos._exit(9)\n");
    const source = "import ender\nclass Handler:\n    def execute(self, file_path):\n        pass\n";
    const failure = await runner.fail({ source, python: environment.python });
    expect(failure).toMatchObject({ code: "PLUGIN_EXITED", data: { status: 9 } });
  } finally {
    environment.remove();
  }
});

test("a parent that does not obey is ended itself", async () => {
  const controller = new AbortController();
  const run = runner.run({ plugin: "sleeps_by_name", input: sleeper, signal: controller.signal });
  await vi.waitFor(() => expect(processesNamed(sleeper)).toHaveLength(2), patience);
  const sleepers = processesNamed(sleeper);
  // From the launcher down; without a process namespace there is no keeper above the warm parent, and a guard below it.
  const above = descendantsOf(process.pid).filter((pid) => descendantsOf(pid).some((below) => sleepers.includes(below)));
  const { pidNamespace } = await sandboxCapabilities({ python: testTools().python });
  process.kill(above[pidNamespace ? 2 : 1] ?? 0, "SIGSTOP");
  controller.abort(new Error("stopped"));
  await expect(run).rejects.toThrow("stopped");
  await vi.waitFor(() => expect(processesNamed(sleeper)).toEqual([]), patience);
});

test("idle parents above the most are ended", async () => {
  const pool = createPluginPool({ log: quietLog, maxParents: 1 });
  const folder = mkdtempSync(join(tmpdir(), "cf-pool-"));
  const before = descendantsOf(process.pid);
  try {
    for (const name of ["no_sdk", "old_sdk", "several_outputs"]) await pool.run(requestFor(name, folder), handlers);
    const added = () => descendantsOf(process.pid).filter((pid) => !before.includes(pid));
    await vi.waitFor(() => expect(added().length).toBeLessThanOrEqual(3), patience);
    await pool.close();
    expect(added()).toEqual([]);
    expect(readdirSync(folder)).toEqual(["input.csv"]);
  } finally {
    await pool.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the environment of a warm parent is kept from removal", async () => {
  await runner.run({ plugin: "no_sdk" });
  expect(isUsed(join(testTools().environmentPython, "..", ".."))).toBe(true);
});

test("two plugins of the same code have their own names and outputs", async () => {
  const pool = createPluginPool({ log: quietLog, maxParents: 2 });
  const folder = mkdtempSync(join(tmpdir(), "cf-pool-"));
  try {
    const request = requestFor("no_sdk", folder);
    const outputs: unknown[] = [];
    for (const name of ["orders", "trades"]) {
      const report = await pool.run({ ...request, plugin: { ...request.plugin, name, defaultOutput: name } }, handlers);
      outputs.push(report.outputs);
    }
    expect(outputs).toEqual([[{ output: "orders", rowsSent: 1 }], [{ output: "trades", rowsSent: 1 }]]);
  } finally {
    await pool.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("inputs in another folder are read as well, by a parent that may read both", async () => {
  const other = mkdtempSync(join(tmpdir(), "cf-other-"));
  try {
    writeFileSync(join(other, "input.csv"), "a\n5\n");
    await runner.run({ plugin: "no_sdk" });
    expect(rowsOf(await runner.run({ plugin: "no_sdk", inputPath: join(other, "input.csv") }))).toEqual([{ a: 5n }]);
    expect(rowsOf(await runner.run({ plugin: "no_sdk" }))).toHaveLength(2);
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});

test("a scratch folder that the plugin has closed is removed all the same", async () => {
  const source = [
    "import os",
    "class Handler:",
    "    def execute(self, file_path):",
    "        os.umask(0)",
    "        os.mkdir('a', 0o300)",
    "        os.mkdir('a/b', 0o300)",
    "        open('a/b/c', 'w').close()",
    "        os.mkdir('a/d', 0)",
  ].join("\n");
  await runner.run({ source });
  expect(scratchFolders()).toEqual([]);
});

test("when Node is killed, every process of its plugins ends", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cf-held-"));
  const holder = spawn(process.execPath, [
    join(import.meta.dirname, "pool-holder.ts"),
    JSON.stringify(requestFor("sleeps_by_name", folder, sleeper)),
  ]);
  try {
    await vi.waitFor(() => expect(processesNamed(sleeper)).toHaveLength(2), patience);
    const started = descendantsOf(holder.pid ?? 0);
    // The launcher, the warm parent, the guard and the plugin's two; where there are namespaces, the parent's keeper.
    expect(started.length).toBeGreaterThanOrEqual(5);
    holder.kill("SIGKILL");
    await vi.waitFor(() => expect(started.filter(isAlive)).toEqual([]), patience);
  } finally {
    holder.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});

const handlers = { open: async () => {}, message: async () => {} };

function requestFor(name: string, folder: string, input = "a,b\n1,x\n") {
  const inputPath = join(folder, "input.csv");
  writeFileSync(inputPath, input);
  return {
    jobId: "1",
    attempt: 1,
    plugin: { name, version: "1", artifactHash: name, sourceCode: readFileSync(pluginPath(name), "utf8"), defaultOutput: "output" },
    python: testTools().environmentPython,
    inputPath,
    scratchDir: join(folder, "scratch"),
    limits: { seconds: 60, memoryBytes: 512 * 1024 * 1024, scratchBytes: 2 ** 30, logBytes: 1024 * 1024 },
    signal: new AbortController().signal,
  };
}

function scratchFolders(): readonly string[] {
  return readdirSync(runner.folder, { recursive: true, encoding: "utf8" }).filter((path) => path.includes("scratch"));
}
