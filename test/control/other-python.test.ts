import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { findPythonFor, listPythons, requirePythonFor, type FoundPython } from "../../bridge/pythons.ts";
import { pythonVersion } from "../../bridge/python-version.ts";
import { lockPlugin } from "../../bridge/environments.ts";
import { openTrials } from "../../control/try-plugin.ts";
import { quietLog } from "../support/quiet-log.ts";
import { trialFolder } from "../support/trial.ts";
import { testTools } from "../support/tools.ts";

const { uv, python } = testTools();
const search = { uv, mayDownload: false };
const folder = trialFolder();
let pythons: readonly FoundPython[];
/** A minor version that the usual Python is not; undefined on a machine that has only one. */
let other: string | undefined;

beforeAll(async () => {
  pythons = await listPythons(uv);
  const minors = [...new Set(pythons.map(({ version }) => version.split(".").slice(0, 2).join(".")))];
  const usual = (await pythonVersion(python)).split(".").slice(0, 2).join(".");
  other = minors.find((minor) => minor !== usual);
});
afterAll(() => vi.unstubAllEnvs());

test("the usual Python is taken where it fits, and is among those that are found", async () => {
  expect(await findPythonFor(python, ">=3.10", search)).toBe(python);
  expect(pythons.map(({ version }) => version)).toContain(await pythonVersion(python));
  expect(await findPythonFor("/nowhere/python3", ">=3.10", search)).not.toBeNull();
  expect(await findPythonFor("/nowhere/python3", ">=3.10")).toBeNull();
});

test("a plugin that needs another Python is parsed, locked and run by that", async ({ skip }) => {
  skip(other === undefined, "this machine has one minor version of Python only");
  // A statement that Python has since 3.12.
  const statement = Number(other!.split(".")[1]) >= 12 ? "type Amount = int" : "";
  const file = folder.write(
    "other.py",
    `# /// script\n# requires-python = "==${other}.*"\n# dependencies = ["pyarrow"]\n# ///\nimport sys\n${statement}\n\nclass Handler:\n    def execute(self, file_path):\n        yield [{"version": sys.version.split()[0]}]\n`,
  );
  const input = folder.write("in.csv", "a\n1\n");
  const trials = await openTrials({
    tools: { uv, python, pythons: search },
    stateDir: join(folder.path, ".casparian"),
    limits: { seconds: 60, memoryBytes: 2 ** 31, scratchBytes: 2 ** 30, logBytes: 2 ** 20 },
    log: quietLog,
    onProgress: () => {},
    signal: new AbortController().signal,
  });
  try {
    const request = { file, on: [input], cwd: folder.path, filesMax: 1, rowsShown: 1, contracts: [] };
    const trial = await trials.run(request);
    expect(trial).toMatchObject({ failed: 0, environment: { python: `==${other}.*` } });
    const [[version]] = trial.files[0]!.outputs[0]!.first as [[string]];
    expect(version).toMatch(new RegExp(`^${other!.replace(".", "\\.")}\\.`));
  } finally {
    await trials.close();
  }
});

test("where no Python fits, those that there are and the next step are told", async () => {
  const source = '# /// script\n# requires-python = ">=3.99"\n# dependencies = ["six"]\n# ///\n';
  const failure = lockPlugin({ uv, interpreter: python, pythons: search, source });
  await expect(failure).rejects.toMatchObject({
    code: "PYTHON_UNFIT",
    message: expect.stringMatching(/needs Python >=3\.99, and here are .*3\.\d+\.\d+ \(\//) as string,
    hint: expect.stringMatching(/PATH.*allow_downloads/) as string,
  });
  expect(await findPythonFor(python, "==3.9.*", search)).toBeNull();
});

test("a Python that uv may fetch and can't is told in uv's words", async () => {
  const store = mkdtempSync(join(tmpdir(), "cf-pythons-"));
  writeFileSync(join(store, "downloads.json"), "{}");
  vi.stubEnv("UV_PYTHON_DOWNLOADS_JSON_URL", join(store, "downloads.json"));
  vi.stubEnv("UV_PYTHON_INSTALL_DIR", join(store, "pythons"));
  const failure = requirePythonFor(python, ">=3.98", { search: { uv, mayDownload: true } });
  await expect(failure).rejects.toMatchObject({
    code: "PYTHON_UNFIT",
    message: expect.stringMatching(/uv can't fetch one: .*3\.98/) as string,
  });
  rmSync(store, { recursive: true });
});
