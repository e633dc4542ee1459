import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execFileSync } from "node:child_process";
import { afterAll, expect, test } from "vitest";
import { hashArtifact, requireSignature, requireWhole } from "../../bridge/artifact.ts";
import { generateKey, readKey } from "../../bridge/signing-key.ts";
import { exportPlugin } from "../../control/export-plugin.ts";
import { showPlugin } from "../../control/list-plugins.ts";
import { publishPlugin, type PublishRequest } from "../../control/publish-plugin.ts";
import { openTrials } from "../../control/try-plugin.ts";
import { loadArtifact } from "../../db/plugin.ts";
import { environmentRoot } from "../support/environment-root.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testDatabase } from "../support/database.ts";
import { testTools } from "../support/tools.ts";

const { db, close } = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-folder-"));
const context = { db, actor: "ann@desk", temporal: null };
const tools = testTools();
afterAll(async () => {
  await close();
  await rm(home, { recursive: true, force: true });
});

const project = (more = "") =>
  `[project]\nname = "trades"\nversion = "1.0"\nrequires-python = ">=3.10"\ndependencies = ["six==1.16.0"]\n${more}`;
const good: Readonly<Record<string, string>> = {
  "pyproject.toml": project('\n[tool.casparian]\ndata = ["src/trades/*.csv"]\n'),
  "src/trades/__init__.py": "",
  "src/trades/plugin.py":
    'import six\nfrom . import rates\nfrom .deep.names import upper\n\nMANIFEST = {"pattern": "*.txt", "topic": "trades"}\n\nclass Handler:\n    def execute(self, file_path):\n        text = open(file_path).read().strip()\n        if text == "fail":\n            rates.fail()\n        yield [{"name": upper(text), "rate": rates.of(text), "six": six.__version__}]\n',
  "src/trades/rates.py":
    'import csv\nimport pathlib\n\ndef of(name):\n    with open(pathlib.Path(__file__).parent / "rates.csv") as file:\n        return dict(csv.reader(file))[name]\n\ndef fail():\n    raise ValueError("no rate")\n',
  "src/trades/deep/names.py": "def upper(text):\n    return text.upper()\n",
  "src/trades/rates.csv": "eur,1.1\n",
  "tests/test_it.py": "class Handler: not code of the plugin",
  ".venv/lib/x.py": "class Handler: ...",
  ".env": "PASSWORD=secret",
};

function lay(name: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(home, name, path)), { recursive: true });
    writeFileSync(join(home, name, path), text);
  }
  return join(home, name);
}

const publish = (file: string, options: Partial<PublishRequest> = {}) =>
  publishPlugin(context, { file, force: false, backfill: false, tools, ...options });

test("a folder is published with all of its own files and no others, and can be had back", async () => {
  const folder = lay("good", good);
  const published = await publish(folder, { gatekeeper: { mode: "warn", allow: [], vulnerabilityService: "off" } });
  expect(published).toMatchObject({
    outcome: "published",
    plugin: { name: "trades", version: "1.0" },
    warnings: [],
    rulesAdded: ["*.txt"],
  });
  const detail = await showPlugin(context, "trades");
  expect(detail.folder!.entry).toBe("src/trades/plugin.py");
  const others = ["src/trades/__init__.py", "src/trades/deep/names.py", "src/trades/rates.csv", "src/trades/rates.py"];
  expect(Object.keys(detail.folder!.files).toSorted()).toEqual(others);
  expect(detail.environment.lockfile).toMatch(/^six==1\.16\.0 [^]*--hash/m);
  expect(detail.environment.lockfile).toMatch(/^pyarrow==/m);
  expect(detail.environment.lockfile).not.toMatch(/:\/\/|^-e|trades/m);
  expect(JSON.stringify(detail)).not.toContain("secret");
  expect(await publish(folder)).toMatchObject({ outcome: "unchanged" });
  expect(await exportPlugin(detail, join(home, "back"))).toHaveLength(5);
  for (const path of ["src/trades/rates.csv", "src/trades/plugin.py"])
    expect(readFileSync(join(home, "back", path), "utf8")).toBe(good[path]);
  await expect(exportPlugin(detail, join(home, "back"))).rejects.toMatchObject({
    message: expect.stringContaining("there already") as string,
  });
});

test("any change of any file is another content: the same version is refused, and the record's own is noticed", async () => {
  const folder = lay("changed", { ...good, "src/trades/rates.csv": "eur,1.2\n" });
  await expect(publish(folder)).rejects.toMatchObject({
    message: expect.stringContaining("1.0 is published with other content") as string,
  });
  const next = await publish(folder, { version: "1.1", key: readKey(generateKey().pem) });
  const artifact = await loadArtifact(db, next.plugin.id);
  requireWhole(artifact);
  expect(requireSignature(artifact, new Map(), false)).toBeNull();
  const { entry, files } = artifact.folder!;
  const other = { ...files, "src/trades/rates.csv": "eur,9\n" };
  expect(() => requireWhole({ ...artifact, folder: { entry, files: other } })).toThrow(
    "the code of trades 1.1 on record is not what was published",
  );
  expect(() => requireWhole({ ...artifact, folder: null })).toThrow("is not what was published");
  expect(() => requireWhole({ ...artifact, folder: { entry, files: {} } })).toThrow("is not what was published");
  const astray = { entry, files: { ...files, "../../../outside.py": "" } };
  const forged = { ...artifact, folder: astray, artifactHash: hashArtifact(artifact.sourceCode, artifact.environmentHash, astray) };
  expect(() => requireWhole(forged)).toThrow("is not what was published");
  await expect(exportPlugin({ ...(await showPlugin(context, "trades")), folder: astray }, join(home, "astray"))).rejects.toThrow("outside");
  await expect(db.query("update cf_plugin_manifest set files = '{}' where id = $1", [next.plugin.id])).rejects.toThrow("immutable");
});

test("its modules and data are there when it runs, and a traceback says which file of it", async () => {
  const folder = lay("run", good);
  const input = lay("in", { "a.txt": "eur\n", "b.txt": "fail\n" });
  mkdirSync(join(home, ".casparian"));
  symlinkSync(environmentRoot, join(home, ".casparian/environments"));
  const trials = await openTrials({
    tools,
    stateDir: join(home, ".casparian"),
    limits: { seconds: 60, memoryBytes: 2 ** 31, scratchBytes: 2 ** 30, logBytes: 2 ** 20 },
    log: quietLog,
    onProgress: () => {},
    signal: new AbortController().signal,
  });
  try {
    const trial = await trials.run({ file: folder, on: [input], cwd: home, filesMax: 2, rowsShown: 1, contracts: [] });
    expect(trial.files[0]).toMatchObject({ failure: null, outputs: [{ output: "trades", rows: 1, first: [["EUR", "1.1", "1.16.0"]] }] });
    const { failure } = trial.files[1]!;
    expect(failure).toMatchObject({ code: "PLUGIN_RAISED", message: expect.stringContaining("ValueError: no rate") as string, line: 11 });
    expect(failure!.traceback).toContain(`File "${folder}/src/trades/plugin.py", line 11, in execute`);
    expect(failure!.traceback).toContain('File "src/trades/rates.py", line 9, in fail\n    raise ValueError("no rate")');
  } finally {
    await trials.close();
  }
});

test("a uv.lock decides the versions, and one that is out of date is refused", async () => {
  const folder = lay("locked", { ...good, "pyproject.toml": project().replace("six==1.16.0", "six"), "src/trades/rates.csv": "" });
  execFileSync(tools.uv, ["lock", "--quiet", "--python", tools.python, "--upgrade-package", "six==1.15.0"], { cwd: folder });
  const { plugin } = await publish(folder, { name: "locked" });
  expect((await loadArtifact(db, plugin.id)).environment.lockfile).toMatch(/^six==1\.15\.0 /m);
  writeFileSync(join(folder, "pyproject.toml"), project());
  await expect(publish(folder, { name: "locked", version: "2" })).rejects.toMatchObject({
    code: "PLUGIN_DEPENDENCIES",
    hint: "Run uv lock in the plugin's folder",
  });
});

test("which module is the plugin may be said, and must be where that is not clear", async () => {
  const two = {
    "pyproject.toml": project(),
    "a.py": "class Handler:\n    def execute(self, file_path): ...\n",
    "b/__init__.py": "class Handler:\n    def execute(self, file_path): ...\n",
  };
  const folder = lay("two", two);
  await expect(publish(folder)).rejects.toMatchObject({
    message: expect.stringContaining("several modules have (a.py, b/__init__.py) a class Handler") as string,
    hint: expect.stringContaining('plugin = "trades.plugin"') as string,
  });
  writeFileSync(join(folder, "pyproject.toml"), project('\n[tool.casparian]\nplugin = "b"\n'));
  const published = await publish(folder, { name: "two" });
  const artifact = await loadArtifact(db, published.plugin.id);
  expect(artifact).toMatchObject({ folder: { entry: "b/__init__.py" }, manifest: { topic: "trades" } });
  for (const [settings, words] of [
    ['plugin = "c.d"', "has no such module"],
    ['modul = "b"', "unknown key tool.casparian.modul"],
    ["data = 1", "data is not a list"],
  ] as const) {
    writeFileSync(join(folder, "pyproject.toml"), project(`\n[tool.casparian]\n${settings}\n`));
    await expect(publish(folder)).rejects.toMatchObject({ message: expect.stringContaining(words) as string });
  }
});

test("what can't be a plugin's folder is refused with the reason", async () => {
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ["no-project", { "a.py": "" }, "without a pyproject.toml"],
    ["no-handler", { "pyproject.toml": project(), "a.py": "x = 1\n" }, "no module has a class Handler"],
    ["no-name", { "pyproject.toml": "[project]\n", "a.py": "class Handler: ...\n" }, "has no [project] name"],
    ["syntax", { ...good, "src/trades/deep/names.py": "def upper(:\n" }, "src/trades/deep/names.py: it is not valid Python"],
    [
      "large",
      {
        "pyproject.toml": project(),
        "a.py": "class Handler: ...\n",
        "b.py": "#".repeat(4_000_000),
        "c.py": "#".repeat(4_100_000),
        "d.py": "#".repeat(400_000),
      },
      "8388608 at most",
    ],
  ];
  for (const [name, files, words] of cases)
    await expect(publish(lay(name, files))).rejects.toMatchObject({ message: expect.stringContaining(words) as string });
  const linked = lay("linked", good);
  rmSync(join(linked, "src/trades/rates.py"));
  symlinkSync("/etc/passwd", join(linked, "src/trades/rates.py"));
  await expect(publish(linked)).rejects.toMatchObject({ message: expect.stringContaining("is a link or no file") as string });
});

test("the gatekeeper and the check of imports look at all files", async () => {
  const files = { ...good, "src/trades/deep/names.py": "import socket\nimport numpy\ndef upper(text): return text\n" };
  const published = await publish(lay("reaching", files), {
    name: "reaching",
    gatekeeper: { mode: "warn", allow: [], vulnerabilityService: "off" },
  });
  expect(published.warnings.join()).toMatch(/imports numpy, and no package of that name/);
  expect(published.gatekeeper!.findings).toContainEqual(
    expect.objectContaining({ kind: "network", subject: "socket", file: "src/trades/deep/names.py", line: 1 }),
  );
  expect(published.gatekeeper!.findings.filter(({ kind, subject }) => kind === "import" && subject !== "numpy")).toEqual([]);
});
