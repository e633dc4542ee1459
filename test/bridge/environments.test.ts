import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { ensureEnvironment, hasEnvironment, lockPlugin, standardEnvironment } from "../../bridge/environments.ts";
import { TransientFailure } from "../../domain/failure.ts";
import type { PluginEnvironment } from "../../domain/plugin.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testTools } from "../support/tools.ts";
import { createRunner, rowsOf } from "./run-plugin.ts";

const runner = createRunner();
const folders: string[] = [];

afterEach(() => {
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** The smallest package of the standard environment, alone. */
function smallEnvironment(damage: (lockfile: string) => string = (lockfile) => lockfile): PluginEnvironment {
  const { lockfile } = standardEnvironment();
  const found = /^tzdata==[^\n]*\n(?: {4}[^\n]*\n)*/m.exec(lockfile)?.[0] ?? "";
  return { hash: "0".repeat(64), lockfile: damage(found.replace(/ ; [^\\]*/, " ")), python: ">=3.10" };
}

function placeFor(environment: PluginEnvironment) {
  const root = mkdtempSync(join(tmpdir(), "cf-environments-"));
  folders.push(root);
  return { environment, root, interpreter: testTools().python };
}

function build(
  place: ReturnType<typeof placeFor> & { readonly bytesMax?: number },
  steps: string[] = [],
  signal = new AbortController().signal,
) {
  return ensureEnvironment({ ...place, uv: testTools().uv, signal, log: quietLog, onProgress: (step) => steps.push(step) });
}

const block = (...lines: readonly string[]) => ["# /// script", ...lines.map((line) => `# ${line}`), "# ///", ""].join("\n");
const lockOf = (source: string) => lockPlugin({ uv: testTools().uv, interpreter: testTools().python, source });
const lock = async (source: string) => (await lockOf(source)).environment;

test("an environment is built once, also when several ask at once", async () => {
  const place = placeFor(smallEnvironment());
  expect(await hasEnvironment(place)).toBeNull();
  const steps: string[] = [];
  const [one, other] = await Promise.all([build(place, steps), build(place, steps)]);
  expect(one).toEqual(other);
  expect(steps).toEqual(["Building a Python environment (1 locked packages) …"]);
  expect(await hasEnvironment(place)).toBe(one.python);
  expect(await build(place, steps)).toEqual(one);
  expect(steps).toHaveLength(1);
});

test("its packages are compiled, also where it lies below a folder of tests: nobody may write there when they are imported", async () => {
  const place = placeFor(smallEnvironment());
  const { python } = await build({ ...place, root: join(place.root, "test", "environments") });
  const found = readdirSync(join(dirname(python), "..", "lib"), { recursive: true }).map(String);
  expect(found.filter((path) => /tzdata\/__pycache__\/__init__\.cpython-\d+\.pyc$/.test(path))).toHaveLength(1);
});

test("a build makes room: the least recently used go, and the new one stays", async () => {
  const place = placeFor(smallEnvironment());
  const old = join(place.root, "old-py3.11-linux-x64-00000000");
  mkdirSync(old);
  writeFileSync(join(old, "casparian-environment.json"), JSON.stringify({ hash: "old", builtAt: new Date(0), bytes: 1_000 }));
  const { python } = await build({ ...place, bytesMax: 500 });
  expect(existsSync(old)).toBe(false);
  expect(await hasEnvironment(place)).toBe(python);
});

test("one that a crash has left half made is built anew", async () => {
  const place = placeFor(smallEnvironment());
  const { python } = await build(place);
  rmSync(join(dirname(python), "..", "casparian-environment.json"));
  expect(await hasEnvironment(place)).toBeNull();
  expect(await build(place)).toEqual({ python });
  rmSync(python);
  expect(await hasEnvironment(place)).toBeNull();
  expect(await build(place)).toEqual({ python });
  expect(existsSync(python)).toBe(true);
});

test("a file that has not the locked hash is refused in uv's words, and nothing is left", async () => {
  const place = placeFor(smallEnvironment((lockfile) => lockfile.replaceAll(/sha256:.{8}/g, "sha256:00000000")));
  await expect(build(place)).rejects.toMatchObject({ code: "PLUGIN_ENVIRONMENT", message: expect.stringMatching(/hash/i) as string });
  expect(readdirSync(place.root)).toEqual(["build.lock"]);
});

test("a registry that does not answer may answer later", async () => {
  const place = placeFor(smallEnvironment());
  vi.stubEnv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple");
  vi.stubEnv("UV_HTTP_RETRIES", "0");
  vi.stubEnv("UV_CACHE_DIR", join(place.root, "cache"));
  const failure: unknown = await build(place).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(TransientFailure);
  expect(failure).toMatchObject({ code: "PLUGIN_ENVIRONMENT_UNREACHABLE", hint: expect.stringContaining("network") as string });
});

test("an abort ends the build, and ends waiting for another's", async () => {
  const place = placeFor(smallEnvironment());
  const controller = new AbortController();
  const first = build(place);
  const second = build(place, [], controller.signal);
  controller.abort(new Error("not wanted"));
  await expect(second).rejects.toThrow("not wanted");
  await first;
  await expect(build(placeFor(smallEnvironment()), [], AbortSignal.abort(new Error("never wanted")))).rejects.toThrow("never wanted");
});

test("a Python that does not fit is named, with what is there", async () => {
  const place = placeFor({ ...smallEnvironment(), python: ">=3.99" });
  await expect(build(place)).rejects.toMatchObject({ code: "PYTHON_UNFIT", message: expect.stringContaining(">=3.99") as string });
  await expect(lock(block('requires-python = "<3.10"', 'dependencies = ["six"]'))).rejects.toMatchObject({ code: "PYTHON_UNFIT" });
});

test("a plugin that declares nothing gets the standard environment", async () => {
  expect(await lock("import pandas\n")).toEqual(standardEnvironment());
  expect(await lock(block("dependencies = []"))).toEqual(standardEnvironment());
  const narrowed = await lock(block('requires-python = ">=3.10,<4"'));
  expect(narrowed).toMatchObject({ lockfile: standardEnvironment().lockfile, python: ">=3.10,<4" });
  expect(narrowed.hash).not.toBe(standardEnvironment().hash);
  expect(standardEnvironment().lockfile).toMatch(/^pandas==[\d.]+ /m);
  expect(standardEnvironment().lockfile).not.toMatch(/:\/\/|#/);
});

test("declared dependencies are locked with hashes, and pyarrow with them", async () => {
  const environment = await lock(block('dependencies = ["six==1.16.0"]'));
  expect(environment.lockfile).toMatch(/^six==1\.16\.0 \\\n {4}--hash=sha256:[0-9a-f]{64}/m);
  expect(environment.lockfile).toMatch(/^pyarrow==/m);
  expect(environment.lockfile).not.toMatch(/:\/\/|#/);
  expect(await lock(block('dependencies = ["six==1.16.0"]'))).toEqual(environment);
});

test("dependencies that can't be had, and a block that can't be read", async () => {
  const failure: unknown = await lock(block('dependencies = ["six==0.0.999"]')).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "PLUGIN_DEPENDENCIES", message: expect.stringContaining("six==0.0.999") as string });
  await expect(lock(block('dependencies = "six"'))).rejects.toMatchObject({ code: "PLUGIN_DEPENDENCIES" });
  await expect(lock(block("dependencies = ["))).rejects.toMatchObject({ code: "PLUGIN_DEPENDENCIES" });
  await expect(lock(block("dependencies = []") + block("dependencies = []"))).rejects.toMatchObject({ code: "PLUGIN_DEPENDENCIES" });
});

test("a plugin with dependencies of its own: locked, built, run; polars frames, eager and lazy", async () => {
  const source = [
    block('dependencies = ["polars"]'),
    "import polars as pl",
    "class Handler:",
    "    def execute(self, file_path):",
    "        yield 'eager', pl.read_csv(file_path)",
    "        yield 'lazy', pl.scan_csv(file_path).filter(pl.col('a') > 1)",
    "",
  ].join("\n");
  const root = join(import.meta.dirname, "../../.casparian/test/environments");
  const { python } = await build({ environment: await lock(source), root, interpreter: testTools().python });
  const collected = await runner.run({ source, python });
  expect(rowsOf(collected, "eager")).toEqual([
    { a: 1n, b: "x" },
    { a: 2n, b: "y" },
  ]);
  expect(rowsOf(collected, "lazy")).toEqual([{ a: 2n, b: "y" }]);
});
