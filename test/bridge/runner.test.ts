import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { standardEnvironment } from "../../bridge/environments.ts";
import type { PluginHandlers } from "../../bridge/pool.ts";
import { noGrants, type PluginGrants } from "../../domain/plugin-grant.ts";
import { ensureKeyPair, keyFile } from "../../bridge/runner/keys.ts";
import { listenForRunners, type RunnerLease, type Runners } from "../../bridge/runner/listener.ts";
import { environmentRoot } from "../support/environment-root.ts";
import { patience } from "../support/patience.ts";
import { quietLog } from "../support/quiet-log.ts";
import { sha256 } from "../support/sha256.ts";
import { descendantsOf, isAlive, processesNamed } from "./processes.ts";

const folder = mkdtempSync(join(tmpdir(), "cf-runner-"));
const sleeper = `cf-${process.pid}-r`;
const trusted = new Map<string, string>();
const started: ChildProcess[] = [];
let runners: Runners;
let workerKey: string;

beforeAll(async () => {
  const keys = await ensureKeyPair(keyFile(join(folder, "worker")));
  workerKey = keys.publicKey;
  runners = await listenForRunners({ listen: "tcp://127.0.0.1:*", keys, trusted: () => trusted, log: quietLog });
  await startRunner("first", "gpu");
});

afterEach(() => {
  for (const child of started.slice(1)) child.kill("SIGKILL");
});

afterAll(async () => {
  for (const child of started) child.kill("SIGTERM");
  await runners.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a plugin runs on a runner: the file's bytes and name arrive, rows, log and counts come back, nothing stays there", async () => {
  const rows: number[] = [];
  const input = "0123456789".repeat(600_000);
  const report = await onRunner(
    { what: "large", input, name: "2026/large.csv" },
    { message: async (_output, { rows: count }) => void rows.push(count) },
  );
  expect(report.outputs).toEqual([
    { output: "output", rowsSent: 1 },
    { output: "more", rowsSent: 40 },
  ]);
  expect(rows).toHaveLength(41);
  expect(report.logs.find(({ stream }) => stream === "stdout")?.text).toBe("['2026', 'large.csv'] 6000000\n");
  expect(report.logs[0]?.at).toBeInstanceOf(Date);
  const [own] = readdirSync(join(folder, "first", ".casparian", "runner"));
  const left = join(folder, "first", ".casparian", "runner", own ?? "");
  expect([readdirSync(join(left, "inputs")), readdirSync(join(left, "scratch")).filter((name) => name.startsWith("job"))]).toEqual([
    [],
    [],
  ]);
});

test("what an operator has granted to the plugin is granted there, and nothing else", async () => {
  const granted = join(folder, "granted");
  mkdirSync(granted);
  writeFileSync(join(granted, "codes.txt"), "A=1");
  const reading = async (grants: PluginGrants) => {
    const { logs } = await onRunner({ what: "reads", input: join(granted, "codes.txt"), grants });
    return logs.find(({ stream }) => stream === "stdout")?.text.trim();
  };
  expect([await reading({ read: [granted], hosts: [] }), await reading(noGrants)]).toEqual(["A=1", "PermissionError"]);
});

test("what fails there fails as here", async () => {
  const failure = onRunner({ what: "raises" });
  await expect(failure).rejects.toMatchObject({
    name: "TerminalFailure",
    code: "PLUGIN_RAISED",
    data: { traceback: expect.stringContaining("1 / 0") as string },
  });
  const differs = onRunner({ what: "nothing", contentHash: sha256("something else") });
  await expect(differs).rejects.toMatchObject({ name: "TransientFailure", code: "RUNNER_INPUT_DIFFERS" });
});

test("what a handler throws, and an abort, end the plugin there first", async () => {
  const broken = new Error("the disk is full");
  await expect(onRunner({ what: "large" }, { message: () => Promise.reject(broken) })).rejects.toBe(broken);
  const controller = new AbortController();
  const run = onRunner({ what: "sleeps", input: sleeper, signal: controller.signal });
  await vi.waitFor(() => expect(processesNamed(sleeper)).toHaveLength(1), patience);
  controller.abort(new Error("not wanted"));
  await expect(run).rejects.toThrow("not wanted");
  expect(processesNamed(sleeper)).toEqual([]);
});

test("who is not trusted is turned away, and told how to be let in", async () => {
  const { child, key } = await spawnRunner("stranger");
  const said = lines(child);
  await vi.waitFor(() => expect(said()).toContain(`casparian runner trust NAME ${key}`), patience);
  expect(runners.connected().map(({ name }) => name)).toEqual(["gpu"]);
  expect(await runners.lease("stranger", { signal: new AbortController().signal, waitMsMax: 1 })).toBeNull();
});

test("a runner that is killed leaves nothing, its job fails as transient, and another of its name takes the next attempt", async () => {
  const first = started[0]!;
  const run = onRunner({ what: "sleeps", input: sleeper });
  await vi.waitFor(() => expect(processesNamed(sleeper)).toHaveLength(1), patience);
  const below = descendantsOf(first.pid ?? 0);
  first.kill("SIGKILL");
  await expect(run).rejects.toMatchObject({ name: "TransientFailure", code: "RUNNER_LOST" });
  await vi.waitFor(() => expect(below.filter(isAlive)).toEqual([]), patience);
  expect(runners.connected()).toEqual([]);
  await startRunner("second", "gpu");
  expect((await onRunner({ what: "nothing" })).outputs).toEqual([]);
});

test("a worker that goes takes its plugins on the runner with it", async () => {
  const runner = await startRunner("third", "cpu");
  const run = onRunner({ what: "sleeps", input: sleeper, runner: "cpu" });
  await vi.waitFor(() => expect(processesNamed(sleeper)).toHaveLength(1), patience);
  const lost = expect(run).rejects.toMatchObject({ code: "RUNNER_LOST" });
  await runners.close();
  await lost;
  await vi.waitFor(() => expect(processesNamed(sleeper)).toEqual([]), patience);
  expect(isAlive(runner.pid ?? 0)).toBe(true);
});

/** One plugin for all tests of a runner, so that it starts one warm parent: the input's name says what it does. */
const source = `
import ctypes, os, time
import pyarrow as pa

class Handler:
    def execute(self, path):
        what = os.path.basename(path).split(".")[0]
        if what == "raises":
            1 / 0
        if what == "sleeps":
            ctypes.CDLL(None).prctl(15, open(path, "rb").read(), 0, 0, 0)  # PR_SET_NAME
            time.sleep(600)
        if what == "reads":
            try:
                print(open(open(path).read()).read(), flush=True)
            except OSError as refused:
                print(type(refused).__name__, flush=True)
        if what == "large":
            print(path.split("/")[-2:], os.path.getsize(path), flush=True)
            yield pa.table({"n": [1]})
            for n in range(40):
                yield "more", pa.table({"text": ["x" * 3_000_000]})
`;

interface Asked {
  readonly what: string;
  readonly input?: string;
  readonly name?: string;
  readonly contentHash?: string;
  readonly runner?: string;
  readonly signal?: AbortSignal;
  readonly grants?: PluginGrants;
}

let runs = 0;

async function onRunner(asked: Asked, handlers: Partial<PluginHandlers> = {}) {
  const { what, input = "nothing", name = `${what}.csv`, runner = "gpu", signal = new AbortController().signal } = asked;
  runs += 1;
  const inputRoot = join(folder, `source-${runs}`);
  const inputPath = join(inputRoot, name);
  mkdirSync(join(inputPath, ".."), { recursive: true });
  writeFileSync(inputPath, input);
  const lease = await leaseOf(runner);
  try {
    return await lease.run(
      {
        jobId: String(runs),
        attempt: 1,
        plugin: { name: "remote", version: "1", artifactHash: sha256(source), sourceCode: source, defaultOutput: "output" },
        python: "nowhere",
        environment: standardEnvironment(),
        contentHash: asked.contentHash ?? sha256(input),
        inputPath,
        inputRoot,
        scratchDir: join(folder, "unused"),
        limits: { seconds: 60, memoryBytes: 512 * 2 ** 20, logBytes: 2 ** 20, scratchBytes: 2 ** 30 },
        grants: asked.grants,
        signal,
      },
      { open: async () => {}, message: async () => {}, ...handlers },
    );
  } finally {
    lease.release();
  }
}

async function leaseOf(name: string): Promise<RunnerLease> {
  const lease = await runners.lease(name, { signal: new AbortController().signal, waitMsMax: patience.timeout });
  if (lease === null) throw new Error(`no runner ${name}`);
  return lease;
}

async function startRunner(home: string, name: string): Promise<ChildProcess> {
  const { key } = await keysOf(home);
  trusted.set(key, name);
  const { child } = await spawnRunner(home);
  await vi.waitFor(() => expect(runners.connected().some((runner) => runner.publicKey === key)).toBe(true), patience);
  return child;
}

async function keysOf(home: string): Promise<{ readonly key: string }> {
  return { key: (await ensureKeyPair(keyFile(join(folder, home, ".casparian")))).publicKey };
}

/** The program itself, in a home of its own that has the tests' environments. */
async function spawnRunner(home: string): Promise<{ readonly child: ChildProcess; readonly key: string }> {
  const { key } = await keysOf(home);
  symlinkSync(environmentRoot, join(folder, home, ".casparian", "environments"));
  const program = join(import.meta.dirname, "..", "..", "bin", "casparian.js");
  const args = ["--home", join(folder, home), "runner", "--connect", runners.address, "--worker-key", workerKey];
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  started.push(child);
  return { child, key };
}

function lines(child: ChildProcess): () => string {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
  return () => said;
}
