import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { findAlteredContent, findDamage } from "../../bridge/environment-files.ts";
import { retireEnvironment } from "../../bridge/environment-health.ts";
import { ensureEnvironment, environmentOf, lockPlugin } from "../../bridge/environments.ts";
import { quietLog } from "../support/quiet-log.ts";
import { makeSourcePackage, makeWheel, startIndex, type SimpleIndex, type Wheel } from "../support/simple-index.ts";
import { testTools } from "../support/tools.ts";

const folder = mkdtempSync(join(tmpdir(), "cf-index-"));
const signal = new AbortController().signal;
let wheel: Wheel;
let index: SimpleIndex;

/** As a person sets up uv: a file that names the index, and the password beside it. */
beforeAll(async () => {
  wheel = makeWheel(folder, "in_house", "1.4", "answer = 42\n");
  index = await startIndex(wheel);
  writeFileSync(join(folder, "uv.toml"), `[[index]]\nname = "house"\nurl = "${index.url}"\n`);
  vi.stubEnv("UV_CONFIG_FILE", join(folder, "uv.toml"));
  vi.stubEnv("UV_INDEX_HOUSE_USERNAME", index.user);
  vi.stubEnv("UV_INDEX_HOUSE_PASSWORD", index.password);
  vi.stubEnv("UV_HTTP_RETRIES", "0");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await index.stop();
  rmSync(folder, { recursive: true, force: true });
});

const place = () => ({
  environment: environmentOf(wheel.requirement, ">=3.10"),
  root: join(folder, "environments"),
  interpreter: testTools().python,
});
const build = (anew = false) => ensureEnvironment({ ...place(), anew, uv: testTools().uv, signal, log: quietLog, onProgress: () => {} });
const answerOf = (python: string) =>
  execFileSync(python, ["-I", "-B", "-c", "import in_house; print(in_house.answer)"], { encoding: "utf8" }).trim();

test("a plugin's packages may come from a private index of uv's own configuration, of which the lock says nothing", async () => {
  const source = '# /// script\n# dependencies = ["in-house>=1"]\n# ///\n';
  const { environment, packages } = await lockPlugin({ uv: testTools().uv, interpreter: testTools().python, source });
  expect(environment.lockfile).toContain(wheel.requirement.replace("in_house", "in-house"));
  expect(environment.lockfile).toMatch(/^pyarrow==/m);
  expect(environment.lockfile).not.toMatch(/:\/\/|s3cret/);
  expect(packages.find(({ name }) => name === "in-house")).toMatchObject({ registry: index.url });
  vi.stubEnv("UV_INDEX_HOUSE_PASSWORD", "wrong");
  vi.stubEnv("UV_CACHE_DIR", join(folder, "empty-cache"));
  const refused = lockPlugin({ uv: testTools().uv, interpreter: testTools().python, source });
  await expect(refused).rejects.toMatchObject({ code: "PLUGIN_DEPENDENCIES", message: expect.not.stringContaining("wrong") as string });
  vi.stubEnv("UV_INDEX_HOUSE_PASSWORD", index.password);
});

test("what is in uv's cache is built without an answer of the index; what is not waits for one", async () => {
  vi.stubEnv("UV_CACHE_DIR", join(folder, "cache"));
  const { python } = await build();
  expect(answerOf(python)).toBe("42");
  rmSync(join(folder, "environments"), { recursive: true });
  const port = Number(new URL(index.url).port);
  await index.stop();
  expect(answerOf((await build()).python)).toBe("42");
  rmSync(join(folder, "environments"), { recursive: true });
  vi.stubEnv("UV_CACHE_DIR", join(folder, "other-cache"));
  await expect(build()).rejects.toMatchObject({ code: "PLUGIN_ENVIRONMENT_UNREACHABLE" });
  vi.stubEnv("UV_CACHE_DIR", join(folder, "cache"));
  index = await startIndex(wheel, port);
});

test("a content that was changed behind size and time is found by its hash, and not taken from uv's cache again", async () => {
  const { python } = await build();
  const environment = dirname(dirname(python));
  const file = execFileSync(python, ["-I", "-c", "import in_house; print(in_house.__file__)"], { encoding: "utf8" }).trim();
  const before = statSync(file, { bigint: true });
  // In place: where uv has linked it, its cache has the new content, too.
  writeFileSync(file, "answer = 41\n");
  execFileSync("touch", [
    "--date",
    `@${before.mtimeNs / 1_000_000_000n}.${String(before.mtimeNs % 1_000_000_000n).padStart(9, "0")}`,
    file,
  ]);
  expect(await findDamage(environment)).toBeNull();
  expect(await findAlteredContent(environment)).toMatch(/in_house\/__init__\.py has another content$/);
  expect(await retireEnvironment(join(folder, "environments"), environment, signal)).toBe(true);
  expect(await build(true)).toEqual({ python });
  expect(readFileSync(file, "utf8")).toBe("answer = 42\n");
  expect(await findAlteredContent(environment)).toBeNull();
});

test("a package without a wheel is built only where that is allowed, with its locked hash", async () => {
  const source = makeSourcePackage(folder, "from_source", "2.0", "answer = 43\n");
  const sources = await startIndex(source);
  try {
    vi.stubEnv("UV_CONFIG_FILE", join(folder, "sources.toml"));
    writeFileSync(join(folder, "sources.toml"), `[[index]]\nname = "house"\nurl = "${sources.url}"\n`);
    const environment = environmentOf(source.requirement, ">=3.10");
    const request = { ...place(), environment, uv: testTools().uv, signal, log: quietLog, onProgress: () => {} };
    await expect(ensureEnvironment(request)).rejects.toMatchObject({
      code: "PLUGIN_ENVIRONMENT",
      hint: expect.stringContaining("allow_builds") as string,
    });
    const { python } = await ensureEnvironment({ ...request, allowBuilds: true });
    expect(execFileSync(python, ["-I", "-B", "-c", "import from_source; print(from_source.answer)"], { encoding: "utf8" }).trim()).toBe(
      "43",
    );
  } finally {
    await sources.stop();
  }
});
