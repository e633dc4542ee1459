import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { createPluginPool, type PluginPool, type PluginPoolOptions } from "../../bridge/pool.ts";
import { patience } from "../support/patience.ts";
import { quietLog } from "../support/quiet-log.ts";
import { sha256 } from "../support/sha256.ts";
import { makeBareEnvironment } from "./bare-environment.ts";
import { descendantsOf, processesNamed } from "./processes.ts";
import { createRunner, textOf } from "./run-plugin.ts";

const environment = makeBareEnvironment();
const runner = createRunner();
afterAll(() => environment.remove());

/** Prints whether the module had been loaded before the plugin's own process was there. */
const tells = (module: string, more = ""): string => `
import sys
before = "${module}" in sys.modules
import ${module}
class Handler:
    def execute(self, file_path):
        print("warm" if before else "cold")
        ${more}
`;

function writeModule(name: string, code = ""): void {
  writeFileSync(join(environment.packages, `${name}.py`), code);
}

async function runIn(source: string, process?: "fork" | "fresh") {
  const { logs } = await runner.run({ source, python: environment.python, ...(process === undefined ? {} : { process }) });
  return { said: textOf(logs, "stdout").trim(), notice: textOf(logs, "notice") };
}

test("imports are loaded before the first file comes", async () => {
  writeModule("plain");
  expect((await runIn(tells("plain"))).said).toBe("warm");
});

test("the standard environment's libraries are loaded before the first file comes, whatever threads they keep themselves", async () => {
  const { logs } = await runner.run({ source: `${tells("pandas")}        yield [{"n": 1}]\n` });
  expect([textOf(logs, "stdout").trim(), textOf(logs, "notice")]).toEqual(["warm", ""]);
});

test("imports that start threads are loaded anew for each file, and the job's log says which", async () => {
  writeModule("starts_threads", "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n");
  const { said, notice } = await runIn(tells("starts_threads"));
  expect(said).toBe("cold");
  expect(notice).toContain('process: "import starts_threads" starts threads, which a fork does not take along');
});

test("a thread that has ended when the imports are loaded does no harm", async () => {
  writeModule("ends_threads", "import threading\none = threading.Thread(target=len, args=((),))\none.start()\n");
  const { said, notice } = await runIn(tells("ends_threads"));
  expect(said).toBe("warm");
  expect(notice).not.toContain("process:");
});

test("process = fresh: an interpreter of its own for each file, which ends with it", async () => {
  const before = descendantsOf(process.pid);
  writeModule("fresh");
  expect((await runIn(tells("fresh"), "fresh")).said).toBe("cold");
  expect(descendantsOf(process.pid).filter((pid) => !before.includes(pid))).toEqual([]);
});

test("off Linux every file has an interpreter of its own", async () => {
  const { platform } = process;
  onTestFinished(() => void Object.defineProperty(process, "platform", { value: platform }));
  Object.defineProperty(process, "platform", { value: "darwin" });
  writeModule("elsewhere");
  expect((await runIn(tells("elsewhere"))).said).toBe("cold");
});

test("a parent that is killed while it loads imports is started again, as warm as before", async () => {
  const killed = join(environment.packages, "killed");
  const name = `cf-${process.pid}-i`;
  const waits = `import ctypes, os, time
if not os.path.exists(${JSON.stringify(killed)}):
    ctypes.CDLL(None).prctl(15, b"${name}", 0, 0, 0)  # PR_SET_NAME
    time.sleep(1000)
`;
  writeModule("waits", waits);
  const running = runIn(tells("waits"));
  const [parent] = await vi.waitFor(() => {
    const named = processesNamed(name);
    expect(named).toHaveLength(1);
    return named;
  }, patience);
  writeFileSync(killed, "");
  process.kill(parent ?? 0, "SIGKILL");
  expect(await running).toEqual({ said: "warm", notice: (await runIn(tells("plain"))).notice });
});

test("imports that take more memory than a job may are the job's failure", async () => {
  writeModule("greedy", "held = bytearray(1 << 30)\n");
  const failure = await runner.fail({ source: tells("greedy"), python: environment.python, limits: { memoryBytes } });
  expect(failure.code).toBe("PLUGIN_MEMORY_LIMIT");
});

test("a parent that has grown is replaced", async () => {
  const { pool, run, warmParents } = openPool();
  // Its own memory is what its garbage leaves; that of a fork is not its own. So a file that makes the parent itself grow is one for the test.
  writeModule("grows", growing);
  const source = tells("grows");
  await run(source);
  const [first] = warmParents();
  await run(source);
  await vi.waitFor(() => expect(warmParents()).not.toContain(first), patience);
  await pool.close();
});

test("a parent that nothing asks for is ended, and the next file has another", async () => {
  const { run, warmParents } = openPool({ idleSeconds: 0.2 });
  await run(tells("plain"));
  await vi.waitFor(() => expect(warmParents()).toEqual([]), patience);
  await run(tells("plain"));
});

test("warm parents hold no more memory together than they may", async () => {
  // Less than one of them needs, so each is ended when it has nothing to do.
  const { run, warmParents, warm } = openPool({ memoryBytesMax: 1 });
  await run(tells("plain"));
  await vi.waitFor(() => expect(warmParents()).toEqual([]), patience);
  expect(await warm(tells("plain"))).toBe(true);
  await vi.waitFor(() => expect(warmParents()).toEqual([]), patience);
});

test("a plugin is warmed before its first file, as long as there is room", async () => {
  const { run, warm, warmParents } = openPool({ maxParents: 1 });
  expect(await warm(tells("plain"))).toBe(true);
  const parents = warmParents();
  expect(parents).toHaveLength(1);
  expect(await warm(tells("fresh"))).toBe(false);
  await run(tells("plain"));
  expect(warmParents()).toEqual(parents);
});

/** A thread would keep it from being warm, so the parent's own signal handler makes it grow when its first fork has ended. */
const growing = `
import signal
held = []
previous = signal.signal
def register(number, handler):
    if number == signal.SIGCHLD and callable(handler):
        def grow(*arguments):
            held.append(bytearray(b"x" * (200 << 20)))
            return handler(*arguments)
        return previous(number, grow)
    return previous(number, handler)
signal.signal = register
`;

const memoryBytes = 512 * 1024 * 1024;

interface OpenPool {
  readonly pool: PluginPool;
  run(source: string): Promise<unknown>;
  warm(source: string): Promise<boolean>;
  /** Processes without children below this one that were not there before: the parents, while no file is being read. */
  warmParents(): readonly number[];
}

/** A pool of one test. */
function openPool(options: Omit<PluginPoolOptions, "log"> = {}): OpenPool {
  const before = descendantsOf(process.pid);
  const pool = createPluginPool({ log: quietLog, ...options });
  const folder = mkdtempSync(join(tmpdir(), "cf-warm-"));
  const inputPath = join(folder, "input.txt");
  writeFileSync(inputPath, "");
  onTestFinished(async () => {
    await pool.close();
    rmSync(folder, { recursive: true, force: true });
  });
  let runs = 0;
  const pluginOf = (sourceCode: string) => ({ name: "told", artifactHash: sha256(sourceCode), sourceCode, defaultOutput: "output" });
  return {
    pool,
    run: (source) =>
      pool.run(
        {
          jobId: "1",
          attempt: 1,
          plugin: { ...pluginOf(source), version: "1" },
          python: environment.python,
          inputPath,
          scratchDir: join(folder, `scratch-${(runs += 1)}`),
          limits: { seconds: 60, memoryBytes, logBytes: 1024 * 1024, scratchBytes: 2 ** 30 },
          signal: new AbortController().signal,
        },
        { open: async () => {}, message: async () => {} },
      ),
    warm: (source) =>
      pool.warm({ plugin: pluginOf(source), python: environment.python, inputRoots: [folder], scratchRoot: folder, memoryBytes }),
    warmParents: () => descendantsOf(process.pid).filter((pid) => !before.includes(pid) && descendantsOf(pid).length === 0),
  };
}
