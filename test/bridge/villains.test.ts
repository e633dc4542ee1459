import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { processesNamed } from "./processes.ts";
import { createRunner, textOf } from "./run-plugin.ts";

const runner = createRunner();
const mebibyte = 1024 * 1024;

test("a plugin without a Handler is told so by name", async () => {
  const failure = await runner.fail({ plugin: "no_handler" });
  expect(failure).toMatchObject({ code: "PLUGIN_NO_HANDLER", message: "plugin no_handler has no class named Handler" });
  expect(failure.hint).toContain("class Handler:");
});

test("a Handler that is no class", async () => {
  const failure = await runner.fail({ plugin: "handler_not_a_class" });
  expect(failure).toMatchObject({
    code: "PLUGIN_HANDLER_NOT_A_CLASS",
    message: "in plugin handler_not_a_class Handler is not a class but a function",
  });
});

test("a Handler without execute", async () => {
  const failure = await runner.fail({ source: "class Handler:\n    pass\n" });
  expect(failure.code).toBe("PLUGIN_NO_HANDLER");
  expect(failure.message).toContain("no method execute(self, file_path)");
});

test("a syntax error is shown with its line", async () => {
  const failure = await runner.fail({ plugin: "syntax_error" });
  expect(failure).toMatchObject({ code: "PLUGIN_SYNTAX", message: "plugin syntax_error is not valid Python: expected ':' (line 2)" });
  expect(failure.data["traceback"]).toContain("def execute(self, file_path)");
});

test("an import that is not there is named, with the lines to add", async () => {
  const failure = await runner.fail({ plugin: "import_error" });
  expect(failure.code).toBe("PLUGIN_IMPORT");
  expect(failure.message).toContain("plugin import_error can't import yaml_of_another_world");
  expect(failure.hint).toContain('# dependencies = ["pandas", "pyarrow", "yaml_of_another_world"]');
});

test("an exception midway: the traceback has the plugin's lines and none of ours", async () => {
  const failure = await runner.fail({ plugin: "raises_midway" });
  expect(failure).toMatchObject({ code: "PLUGIN_RAISED", message: "plugin raises_midway raised ZeroDivisionError: division by zero" });
  const traceback = String(failure.data["traceback"]);
  expect(traceback).toContain('File "raises_midway.py", line 5, in divide');
  expect(traceback).toContain("return number / 0");
  expect(traceback).not.toContain("casparian_bridge");
  expect(textOf(failure.data["logs"], "traceback")).toBe(traceback);
});

test("a value of a wrong type, with the line that yielded it", async () => {
  const failure = await runner.fail({ plugin: "wrong_type" });
  expect(failure).toMatchObject({
    code: "PLUGIN_WRONG_TYPE",
    message: "a value of type str is not a table, yielded by plugin wrong_type in line 4",
  });
  expect(failure.hint).toContain("pyarrow Table");
});

test("a schema that changes midway: the column and both of its types", async () => {
  const failure = await runner.fail({ plugin: "schema_change" });
  expect(failure).toMatchObject({
    code: "PLUGIN_SCHEMA_CHANGED",
    message: "output output changed its columns midway, yielded by plugin schema_change in line 7: price was int64, now double",
  });
});

test("a plugin that hangs is ended at its time limit", async () => {
  const failure = await runner.fail({ plugin: "hang", limits: { seconds: 0.5 } });
  expect(failure).toMatchObject({ code: "PLUGIN_TIME_LIMIT", message: "plugin hang took longer than its limit of 0.5 s and was ended" });
});

test("a plugin that exits", async () => {
  const failure = await runner.fail({ plugin: "exits" });
  expect(failure).toMatchObject({ code: "PLUGIN_EXITED", message: "plugin exits exited with status 3 before it was done" });
  const abrupt = await runner.fail({ source: "import os\nclass Handler:\n    def execute(self, path):\n        os._exit(0)\n" });
  expect(abrupt).toMatchObject({ code: "PLUGIN_EXITED", data: { status: 0 } });
});

test("a plugin that is killed", async () => {
  const failure = await runner.fail({ plugin: "killed" });
  expect(failure).toMatchObject({ code: "PLUGIN_KILLED", message: "plugin killed was ended by SIGKILL" });
});

test("a plugin that crashes: stderr shows where", async () => {
  const failure = await runner.fail({ plugin: "crashes" });
  expect(failure).toMatchObject({ code: "PLUGIN_KILLED", message: "plugin crashes was ended by SIGSEGV" });
  expect(textOf(failure.data["logs"], "stderr")).toContain('File "crashes.py", line 7 in execute');
});

test("a plugin that aborts", async () => {
  const failure = await runner.fail({ source: "import os\nclass Handler:\n    def execute(self, path):\n        os.abort()\n" });
  expect(failure).toMatchObject({ code: "PLUGIN_KILLED", message: "plugin inline was ended by SIGABRT" });
});

test("10 MB on stdout end the plugin; the head and the tail are kept", async () => {
  const failure = await runner.fail({ plugin: "spams_stdout" });
  expect(failure).toMatchObject({ code: "PLUGIN_LOG_LIMIT", message: "plugin spams_stdout wrote more than 8 MiB to stdout and was ended" });
  const logs = failure.data["logs"];
  expect(textOf(logs, "stdout")).toMatch(/^the first line\n000000 x/);
  expect(textOf(logs, "stdout").length).toBeLessThanOrEqual(mebibyte);
  expect(textOf(logs, "notice")).toMatch(/^\d+ bytes of stdout were left out here\n$/m);
});

test("10 MB on stdout below the limit neither block nor fail the plugin", async () => {
  const report = await runner.run({ plugin: "spams_stdout", limits: { logBytes: 2 * mebibyte } });
  expect(report.outputs).toEqual([{ output: "output", rowsSent: 1 }]);
  expect(textOf(report.logs, "stdout")).toMatch(/^the first line\n[\d x\n]*the last line\n$/);
  expect(textOf(report.logs, "notice")).toContain(`${10 * mebibyte + 29 - 2 * mebibyte} bytes of stdout were left out here\n`);
});

test("children that a plugin leaves end with the job", async () => {
  const leftBehind = `cf-${process.pid}-l`;
  let during: number | undefined;
  const report = await runner.run({
    plugin: "leaves_children",
    input: leftBehind,
    handlers: {
      message: async () => {
        during ??= processesNamed(leftBehind).length;
      },
    },
  });
  expect(report.outputs).toEqual([{ output: "output", rowsSent: 21 }]);
  expect(during).toBe(1);
  expect(processesNamed(leftBehind)).toEqual([]);
});

test("after all of these no scratch folder is left", () => {
  expect(readdirSync(runner.folder, { recursive: true, encoding: "utf8" }).filter((path) => path.includes("scratch"))).toEqual([]);
});
