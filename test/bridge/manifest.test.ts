import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { dependencyLines } from "../../bridge/dependencies.ts";
import { type ParsedPlugin, readPlugin } from "../../bridge/manifest.ts";
import { testTools } from "../support/tools.ts";
import { pluginPath } from "./run-plugin.ts";

function read(source: string, fileName = "orders.py"): Promise<ParsedPlugin> {
  return readPlugin({ python: testTools().python, source, fileName });
}

const handler = "class Handler:\n    def execute(self, file_path):\n        pass\n";

test("the plugin without an SDK, word for word", async () => {
  expect(await read(readFileSync(pluginPath("no_sdk"), "utf8"))).toEqual({
    manifest: { patterns: ["*.csv"], topic: "output", description: undefined },
    imports: ["pandas", "pyarrow"],
    publishes: [],
    hasDependencies: false,
    name: undefined,
    version: undefined,
    notices: [],
  });
});

test("the plugin of the old SDK, word for word", async () => {
  expect(await read(readFileSync(pluginPath("old_sdk"), "utf8"), "sales.py")).toMatchObject({
    manifest: { patterns: [], topic: "sales" },
    imports: ["pandas"],
    publishes: ["topic_name"],
  });
});

test("everything that a manifest may say; an unknown key is told, not refused", async () => {
  const manifest =
    '{"pattern": ["*.csv", "in/*.txt"], "topic": "t", "name": "n", "version": 2, "description": "d", "process": "fresh", "patern": 1}';
  const parsed = await read(`MANIFEST: dict = ${manifest}\n${handler}`);
  expect(parsed).toMatchObject({
    manifest: { patterns: ["*.csv", "in/*.txt"], topic: "t", description: "d", process: "fresh" },
    name: "n",
    version: "2",
  });
  expect(parsed.notices).toEqual([expect.stringContaining('"patern"')]);
});

test("a plugin is parsed, never run", async () => {
  await read(`raise SystemExit(1)\n${handler}`);
  await expect(read(`MANIFEST = dict(pattern=__import__("os").getcwd())\n${handler}`)).rejects.toMatchObject({
    code: "PLUGIN_MANIFEST",
    message: "orders.py: MANIFEST can't be used: it is not made of literals only (line 1)",
  });
});

test("imports wherever they stand, without Python's own and ours; outputs that the code names; dependencies", async () => {
  const source = [
    "# /// script",
    '# dependencies = ["openpyxl"]',
    "# ///",
    "import os, json.decoder, numpy.random as r",
    "from casparian_flow.sdk import BasePlugin",
    "from . import beside",
    "class Handler(BasePlugin):",
    "    def execute(self, file_path):",
    "        from openpyxl.cell import Cell",
    "        self.publish(topic='one', frame=None)",
    "        yield 'two', None",
    "        return ('three', None)",
  ].join("\n");
  expect(await read(source)).toMatchObject({ imports: ["numpy", "openpyxl"], publishes: ["one", "two", "three"], hasDependencies: true });
});

test.each([
  ["no class", "x = 1\n", "PLUGIN_NO_HANDLER", /orders\.py has no class named Handler/],
  ["no method", "class Handler:\n    pass\n", "PLUGIN_NO_HANDLER", /no method execute/],
  ["a function", "def Handler(): pass\n", "PLUGIN_HANDLER_NOT_A_CLASS", /Handler is not a class but a function/],
  ["a number", "Handler = 5\n", "PLUGIN_HANDLER_NOT_A_CLASS", /a value of type int/],
  ["a syntax error", `x = = 1\n${handler}`, "PLUGIN_SYNTAX", /invalid syntax \(line 1: x = = 1\)/],
  ["a return outside", `return 1\n${handler}`, "PLUGIN_SYNTAX", /'return' outside function/],
  ["endless nesting", `x = ${"(".repeat(100_000)}\n${handler}`, "PLUGIN_SYNTAX", /orders\.py/],
  [
    "an unknown way of running it",
    `MANIFEST = {"process": "spawn"}\n${handler}`,
    "PLUGIN_MANIFEST",
    /"process" is "spawn", and can be "fork" or "fresh"/,
  ],
  ["a list as manifest", `MANIFEST = []\n${handler}`, "PLUGIN_MANIFEST", /it is not a dict/],
  ["a number as pattern", `MANIFEST = {"pattern": 5}\n${handler}`, "PLUGIN_MANIFEST", /neither a string nor a list/],
  ["a path as topic", `MANIFEST = {"topic": "../x"}\n${handler}`, "PLUGIN_MANIFEST", /can't be the name of an output/],
  ["a number as topic", `MANIFEST = {"topic": 5}\n${handler}`, "PLUGIN_MANIFEST", /"topic" is not a string/],
])("%s is refused", async (_what, source, code, message) => {
  await expect(read(source)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
});

test.each([
  ["inherited execute", "from base import Base\nclass Handler(Base):\n    pass\n"],
  ["imported", "from base import Handler\n"],
  ["imported under another name", "from base import Plugin as Handler\n"],
  ["made by a function", "from base import make\nHandler = make()\n"],
  ["in a branch", `import sys\nif sys.version_info > (3, 9):\n    ${handler.replaceAll("\n", "\n    ")}\n`],
])("a Handler that only running can tell is accepted: %s", async (_what, source) => {
  expect((await read(source)).manifest.topic).toBe("orders");
});

test("the lines for modules name their packages", () => {
  expect(dependencyLines(["yaml", "sklearn.linear_model", "pandas"])).toBe(
    '# /// script\n# dependencies = ["pandas", "pyarrow", "PyYAML", "scikit-learn"]\n# ///',
  );
});
