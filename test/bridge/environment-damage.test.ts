import { cpSync, existsSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { findAlteredContent } from "../../bridge/environment-files.ts";
import { blameEnvironment } from "../../bridge/environment-health.ts";
import { listEnvironments, pruneEnvironments } from "../../bridge/environment-store.ts";
import { useEnvironment } from "../../bridge/environment-use.ts";
import { ensureEnvironment, environmentOf, hasEnvironment, standardEnvironment } from "../../bridge/environments.ts";
import { TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testTools } from "../support/tools.ts";

const root = mkdtempSync(join(tmpdir(), "cf-damage-"));
const signal = new AbortController().signal;
const tzdata = /^tzdata==[^\n]*\n(?: {4}[^\n]*\n)*/m.exec(standardEnvironment().lockfile)![0].replace(/ ; [^\\]*/, " ");
let count = 0;
let place = newPlace();

/** Each test has an environment of its own, by another lock. */
function newPlace() {
  count += 1;
  const environment = environmentOf(tzdata, [">=3.10", ...Array.from({ length: count }, () => ">=3")].join(","));
  return { environment, root, interpreter: testTools().python };
}
beforeEach(() => void (place = newPlace()));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const build = () => ensureEnvironment({ ...place, uv: testTools().uv, signal, log: quietLog, onProgress: () => {} });
const folderOf = (python: string) => dirname(dirname(python));
const packageFile = (python: string) => {
  const version = /-py(\d+\.\d+)-/.exec(python)![1]!;
  return join(folderOf(python), "lib", `python${version}`, "site-packages/tzdata/__init__.py");
};
const failed = new TerminalFailure({ code: "PLUGIN_IMPORT", message: "no module tzdata" });

test("a whole one is not blamed for what a plugin does wrong, nor a damaged one for what is not the plugin's", async () => {
  const { python } = await build();
  expect(await findAlteredContent(folderOf(python))).toBeNull();
  expect(await blameEnvironment(python, failed)).toBe(failed);
  rmSync(packageFile(python));
  const other = new TransientFailure({ code: "SINK_UNREACHABLE", message: "no answer" });
  expect(await blameEnvironment(python, other)).toBe(other);
  expect(await blameEnvironment(python, failed)).toMatchObject({
    code: "ENVIRONMENT_DAMAGED",
    message: expect.stringMatching(/tzdata\/__init__\.py is missing; it is built again$/) as string,
    cause: failed,
  });
});

test.each([
  ["a file is gone", (python: string) => unlinkSync(packageFile(python))],
  ["a file was changed", (python: string) => replace(packageFile(python), "raise SystemExit\n")],
  ["a file was touched up to the same size", (python: string) => replace(packageFile(python), "# x")],
  [
    "the interpreter is gone",
    (python: string) => {
      unlinkSync(python);
      symlinkSync("/nowhere/python3", python);
    },
  ],
  ["the list is cut off", (python: string) => replace(join(folderOf(python), "casparian-files.tsv"), "")],
])("where %s, the next job builds it again", async (_, damage) => {
  const { python } = await build();
  damage(python);
  expect(await hasEnvironment(place)).toBeNull();
  expect(await build()).toEqual({ python });
  expect(await hasEnvironment(place)).toBe(python);
  expect(await findAlteredContent(folderOf(python))).toBeNull();
});

/** Another file in its place: uv may share the old one with its cache. */
function replace(file: string, content: string): void {
  unlinkSync(file);
  writeFileSync(file, content);
}

test("half a copy of a folder is no environment", async () => {
  const { python } = await build();
  const folder = folderOf(python);
  renameSync(folder, `${folder}.away`);
  cpSync(`${folder}.away`, folder, {
    recursive: true,
    preserveTimestamps: true,
    verbatimSymlinks: true,
    filter: (path) => basename(path) !== "zoneinfo",
  });
  rmSync(`${folder}.away`, { recursive: true });
  expect(await hasEnvironment(place)).toBeNull();
  expect(await build()).toEqual({ python });
});

test("one that somebody uses stays for them, and the new one takes its place beside it", async () => {
  const { python } = await build();
  const use = useEnvironment(python);
  rmSync(packageFile(python));
  expect(await blameEnvironment(python, failed)).toMatchObject({ code: "ENVIRONMENT_DAMAGED" });
  const beside = await build();
  expect(beside.python).toBe(join(`${folderOf(python)}-2`, "bin", "python"));
  expect(existsSync(packageFile(beside.python))).toBe(true);
  expect([existsSync(python), await hasEnvironment(place)]).toEqual([true, beside.python]);
  // A failure of who used it before is the old one's.
  expect(await blameEnvironment(python, failed)).toMatchObject({ code: "ENVIRONMENT_DAMAGED" });
  expect(await listEnvironments(root)).toContainEqual(expect.objectContaining({ folder: folderOf(python), hash: null, inUse: true }));
  use.release();
  await pruneEnvironments({ root, may: ({ hash }) => hash === null, signal });
  expect([existsSync(python), await hasEnvironment(place)]).toEqual([false, beside.python]);
});

test("a look each minute is enough: the files of a whole one are not read for each job", async () => {
  const { python } = await build();
  expect(await hasEnvironment(place)).toBe(python);
  rmSync(packageFile(python));
  expect(await hasEnvironment(place)).toBe(python);
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
  expect(await hasEnvironment(place)).toBeNull();
  vi.useRealTimers();
});
