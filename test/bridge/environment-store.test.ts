import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { execaNode } from "execa";
import { afterEach, expect, test } from "vitest";
import { listEnvironments, pruneEnvironments, type EnvironmentPrune } from "../../bridge/environment-store.ts";
import { isUsed, removeEnvironment, useEnvironment, useFile } from "../../bridge/environment-use.ts";

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

function newRoot(): string {
  const root = mkdtempSync(join(tmpdir(), "cf-environments-"));
  roots.push(root);
  return root;
}

/** An environment's folder as a build leaves it, with `size` bytes of packages, last used so many minutes ago. */
function built(root: string, name: string, { size = 1_000, minutesAgo = 60, whole = true } = {}): string {
  const folder = join(root, `${name}-py3.11-linux-x64-00000000`);
  mkdirSync(join(folder, "bin"), { recursive: true });
  writeFileSync(join(folder, "bin", "python"), "x".repeat(size));
  const at = new Date(Date.now() - minutesAgo * 60_000);
  if (whole) writeFileSync(join(folder, "casparian-environment.json"), JSON.stringify({ hash: name, builtAt: at, bytes: size }));
  writeFileSync(useFile(folder), "");
  utimesSync(useFile(folder), at, at);
  return folder;
}

async function prune(root: string, options: Partial<EnvironmentPrune> = {}): Promise<readonly (string | null)[]> {
  const gone = await pruneEnvironments({ root, may: () => true, signal: new AbortController().signal, ...options });
  return gone.map(({ hash }) => hash);
}

const folders = (root: string) =>
  readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name.split("-py")[0]);

test("environments are listed with size, times and Python, the least recently used first", async () => {
  const root = newRoot();
  built(root, "new", { minutesAgo: 1 });
  const old = built(root, "old", { size: 5_000, minutesAgo: 300 });
  built(root, "half", { size: 70, minutesAgo: 20, whole: false });
  expect(await listEnvironments(root)).toMatchObject([
    { folder: old, hash: "old", python: "3.11", bytes: 5_000, inUse: false },
    { hash: null, bytes: 70, builtAt: null },
    { hash: "new", bytes: 1_000 },
  ]);
  expect(await listEnvironments(join(root, "none"))).toEqual([]);
});

test("the least recently used go until the others fit", async () => {
  const root = newRoot();
  for (const [name, minutesAgo] of [
    ["a", 40],
    ["b", 90],
    ["c", 20],
    ["d", 60],
  ] as const)
    built(root, name, { minutesAgo });
  expect(await prune(root, { bytesMax: 2_500, dryRun: true })).toEqual(["b", "d"]);
  expect(folders(root)).toEqual(["a", "b", "c", "d"]);
  expect(await prune(root, { bytesMax: 2_500 })).toEqual(["b", "d"]);
  expect(await prune(root, { bytesMax: 2_500 })).toEqual([]);
  expect(folders(root)).toEqual(["a", "c"]);
  expect(await prune(root, { may: ({ hash }) => hash !== "a" })).toEqual(["c"]);
  expect(readdirSync(root).toSorted()).toEqual([basename(built(root, "a")), `${basename(built(root, "a"))}.use`, "build.lock"]);
});

test("one that was used within ten minutes stays, and what is not whole goes at once", async () => {
  const root = newRoot();
  built(root, "fresh", { minutesAgo: 5 });
  built(root, "half", { minutesAgo: 0, whole: false });
  mkdirSync(join(root, ".removed-1-1", "lib"), { recursive: true });
  expect(await prune(root)).toEqual([null]);
  expect(folders(root)).toEqual(["fresh"]);
});

test("one in use stays, in this process and in another that may be killed", async () => {
  const root = newRoot();
  const folder = built(root, "used");
  const python = join(folder, "bin", "python");
  const uses = [useEnvironment(python), useEnvironment(python)];
  const long = new Date(Date.now() - 3_600_000);
  utimesSync(useFile(folder), long, long);
  expect(await listEnvironments(root)).toMatchObject([{ inUse: true }]);
  expect(await prune(root)).toEqual([]);
  uses[0]!.release();
  expect(await removeEnvironment(folder)).toBe(false);
  uses[1]!.release();
  expect(isUsed(folder)).toBe(false);

  const holder = execaNode(join(import.meta.dirname, "environment-holder.ts"), [python], { reject: false });
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  utimesSync(useFile(folder), long, long);
  expect(await prune(root)).toEqual([]);
  holder.kill("SIGKILL");
  await holder;
  expect(await prune(root)).toEqual(["used"]);
});

test("an interpreter of no environment is used without a trace", () => {
  const root = newRoot();
  mkdirSync(join(root, "own", "bin"), { recursive: true });
  useEnvironment(join(root, "own", "bin", "python")).release();
  expect(readdirSync(root)).toEqual(["own"]);
});
