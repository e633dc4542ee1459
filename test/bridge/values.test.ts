import { expect, test } from "vitest";
import { createRunner, rowsOf, textOf, type Run } from "./run-plugin.ts";

const runner = createRunner();

/** Executes what its file has: one plugin, and so one warm parent, for all of these tests. */
const source = `import pandas as pd
import pyarrow as pa

class Handler:
    def execute(self, file_path):
        scope = dict(globals())
        exec(open(file_path).read(), scope)
        return scope["execute"](self, file_path)
`;

/** A run of a plugin whose `execute` has this body. */
function executing(...body: readonly string[]): Run {
  return { source, input: ["def execute(self, file_path):", ...body.map((line) => `    ${line}`), ""].join("\n") };
}

/** A plugin of its own with this body, for files that have rows. */
function reading(...body: readonly string[]): string {
  const lines = ["import pandas as pd", "import pyarrow as pa", "class Handler:", "    def execute(self, file_path):"];
  return [...lines, ...body.map((line) => `        ${line}`), ""].join("\n");
}

test("the plugin without an SDK, word for word", async () => {
  const collected = await runner.run({ plugin: "no_sdk" });
  expect(collected.outputs).toEqual([{ output: "output", rowsSent: 2 }]);
  expect(rowsOf(collected)).toEqual([
    { a: 1n, b: "x" },
    { a: 2n, b: "y" },
  ]);
});

test("the plugin of the old SDK, word for word", async () => {
  const collected = await runner.run({ plugin: "old_sdk" });
  expect(collected.outputs).toEqual([{ output: "topic_name", rowsSent: 2 }]);
  expect(rowsOf(collected, "topic_name")).toHaveLength(2);
});

test("several outputs, in the order in which they were opened; one without rows has its columns", async () => {
  const collected = await runner.run({ plugin: "several_outputs" });
  expect(collected.outputs).toEqual([
    { output: "orders", rowsSent: 3 },
    { output: "lines", rowsSent: 3 },
    { output: "output", rowsSent: 1 },
    { output: "nothing", rowsSent: 0 },
  ]);
  expect(rowsOf(collected, "orders")).toEqual([{ id: 1n }, { id: 2n }, { id: 3n }]);
  expect(collected.messages.get("nothing")).toMatchObject([{ kind: "schema", rows: 0 }]);
});

test.each([
  ["a table returned", "return pa.table({'n': [1]})"],
  ["a pair returned", "return ('output', pa.table({'n': [1]}))"],
  ["a list of tables returned", "return [pa.table({'n': [1]})]"],
  ["a list of dicts returned", "return [{'n': 1}]"],
  ["a record batch", "yield pa.record_batch({'n': pa.array([1])})"],
  ["a reader", "yield pa.table({'n': [1]}).to_reader()"],
  ["a pandas frame", "yield pd.DataFrame({'n': [1]})"],
  ["a list of dicts", "yield [{'n': 1}]"],
  ["anything that streams Arrow", "yield type('Stream', (), {'__arrow_c_stream__': pa.table({'n': [1]}).__arrow_c_stream__})()"],
])("%s", async (_what, line) => {
  expect(rowsOf(await runner.run(executing(line)))).toEqual([{ n: 1n }]);
});

test.each([
  ["nothing", "return None"],
  ["no yield", "if False: yield None"],
  ["an empty frame", "yield pd.DataFrame()"],
  ["an empty list", "yield []"],
])("%s: no outputs", async (_what, line) => {
  expect((await runner.run(executing(line))).outputs).toEqual([]);
});

test("dicts with different keys: every key is a column", async () => {
  const collected = await runner.run(executing("yield [{'a': 1}, {'a': 2, 'b': 'x'}]"));
  expect(rowsOf(collected)).toEqual([
    { a: 1n, b: null },
    { a: 2n, b: "x" },
  ]);
});

test("an index of positions is dropped, an index with a name is a column", async () => {
  const run = executing(
    "frame = pd.DataFrame({'day': [1, 1, 2], 'n': [1, 2, 3]})",
    "yield 'filtered', frame[frame.n > 1]",
    "yield 'grouped', frame.groupby('day').sum()",
  );
  const collected = await runner.run(run);
  expect(rowsOf(collected, "filtered")).toEqual([
    { day: 1n, n: 2n },
    { day: 2n, n: 3n },
  ]);
  expect(rowsOf(collected, "grouped")).toContainEqual({ day: 1n, n: 3n });
});

test("parts of a file whose column has no value in one of them have one schema", async () => {
  const file = reading(
    "for part in pd.read_csv(file_path, chunksize=1):",
    "    yield part",
    "yield pa.table({'a': pa.array([3]), 'b': pa.nulls(1)})",
  );
  const collected = await runner.run({ source: file, input: "a,b\n1,x\n2,\n" });
  expect(rowsOf(collected).map((row) => row["b"])).toEqual(["x", null, null]);
});

test("dictionary columns, whose dictionaries change from part to part", async () => {
  const run = executing("for word in ['x', 'y', 'x']:", "    yield pd.DataFrame({'w': pd.Categorical([word, word, None])})");
  const collected = await runner.run(run);
  const kinds = collected.messages.get("output")?.map((message) => message.kind);
  expect(kinds).toEqual(["schema", "dictionary", "batch", "dictionary", "batch", "dictionary", "batch"]);
  expect(collected.outputs).toEqual([{ output: "output", rowsSent: 9 }]);
});

test("batches are cut to 65,536 rows and about 4 MB", async () => {
  const collected = await runner.run(
    executing("yield 'long', pa.table({'n': range(200_000)})", "yield 'wide', pa.table({'t': ['x' * 100_000] * 200})"),
  );
  const batches = (output: string) => (collected.messages.get(output) ?? []).filter((message) => message.kind === "batch");
  expect(batches("long").map((message) => message.rows)).toEqual([65_536, 65_536, 65_536, 3_392]);
  expect(Math.max(...batches("wide").map((message) => message.bytes.byteLength))).toBeLessThan(5 * 1024 * 1024);
  expect(collected.outputs).toEqual([
    { output: "long", rowsSent: 200_000 },
    { output: "wide", rowsSent: 200 },
  ]);
});

test("slices of a column of views don't carry the whole column's text", async () => {
  const collected = await runner.run(executing("yield pa.table({'t': pa.array(['x' * 1000] * 20_000, pa.string_view())})"));
  const bytes = collected.messages.get("output")?.reduce((sum, message) => sum + message.bytes.byteLength, 0);
  expect(bytes).toBeLessThan(25_000_000);
  expect(collected.outputs).toEqual([{ output: "output", rowsSent: 20_000 }]);
});

test.each([
  ["a dict", "yield {'a': 1}", "PLUGIN_WRONG_TYPE", /type dict is not a table/],
  ["a series", "yield pd.Series([1])", "PLUGIN_WRONG_TYPE", /Series is not a table/],
  ["a number returned", "return 5", "PLUGIN_WRONG_TYPE", /type int is not a table, returned by plugin inline/],
  ["nothing yielded", "yield", "PLUGIN_WRONG_TYPE", /type NoneType is not a table/],
  ["rows without columns", "yield pd.DataFrame(index=range(3))", "PLUGIN_WRONG_TYPE", /3 rows without a column/],
  ["mixed values", "yield pd.DataFrame({'m': [1, 'x']})", "PLUGIN_WRONG_TYPE", /column m with type/],
  ["mixed values in dicts", "yield [{'m': 1}, {'m': 'x'}]", "PLUGIN_WRONG_TYPE", /the values of 'm' have no common type/],
  ["a path as output", "yield '../x', [{'a': 1}]", "PLUGIN_INVALID_OUTPUT", /'..\/x' can't be the name of an output/],
  ["two columns of one name", "yield pa.table([[1], [2]], names=['a', 'a'])", "PLUGIN_INVALID_OUTPUT", /two columns called a/],
  ["a lineage column", "yield [{'_cf_job_id': 1}]", "PLUGIN_INVALID_OUTPUT", /_cf_job_id, which is a name of a lineage column/],
  ["a column less", "yield [{'a': 1, 'b': 1}]; yield [{'a': 1}]", "PLUGIN_SCHEMA_CHANGED", /missing now: b/],
  ["another order", "yield [{'a': 1, 'b': 1}]; yield [{'b': 1, 'a': 1}]", "PLUGIN_SCHEMA_CHANGED", /order was a, b, now b, a/],
])("%s is refused", async (_what, line, code, message) => {
  const failure = await runner.fail(executing(...line.split("; ")));
  expect(failure).toMatchObject({ code, message: expect.stringMatching(message) as string });
  expect(failure.hint).toBeDefined();
});

test("an asynchronous execute is refused", async () => {
  const failure = await runner.fail({ source: "class Handler:\n    async def execute(self, file_path):\n        return None\n" });
  expect(failure).toMatchObject({ code: "PLUGIN_WRONG_TYPE", message: expect.stringContaining("asynchronous") as string });
});

test("what is published badly has the plugin's line in its traceback", async () => {
  const wrongly =
    "from casparian_flow.sdk import BasePlugin\nclass Handler(BasePlugin):\n    def execute(self, path):\n        self.publish('x', 5)\n";
  const failure = await runner.fail({ source: wrongly });
  expect(failure).toMatchObject({
    code: "PLUGIN_WRONG_TYPE",
    message: expect.stringContaining("published by plugin inline in line 4") as string,
  });
  expect(failure.data["traceback"]).toContain("self.publish('x', 5)");
});

test("prints, warnings and logging are kept apart, as text that Postgres can store", async () => {
  const { logs } = await runner.run({ plugin: "talks" });
  expect(textOf(logs, "stdout")).toBe("to stdout: é\u{fffd}\nnot text: \u{fffd}\n");
  expect(textOf(logs, "stderr")).toMatch(/^to stderr\ntalks\.py:16: UserWarning: be careful\n/);
  expect(textOf(logs, "log")).toBe("DEBUG talks: a detail\nWARNING talks: a warning about something\n");
});

test("nothing of one run is there in the next", async () => {
  const run = executing(
    "import json, numpy",
    "seen = getattr(json, 'seen', False)",
    "json.seen = True",
    "yield [{'seen': seen, 'n': numpy.random.random()}]",
  );
  const [one, other] = [rowsOf(await runner.run(run))[0], rowsOf(await runner.run(run))[0]];
  expect([one?.["seen"], other?.["seen"]]).toEqual([false, false]);
  expect(one?.["n"]).not.toBe(other?.["n"]);
});

test("two million rows pass with flat memory on both sides", async () => {
  const before = process.memoryUsage().rss;
  let [rows, bytes, rssMax] = [0, 0, 0];
  const report = await runner.run({
    plugin: "large",
    handlers: {
      message: async (_output, message) => {
        rows += message.rows;
        bytes += message.bytes.byteLength;
        rssMax = Math.max(rssMax, process.memoryUsage().rss);
      },
    },
  });
  expect([rows, report.outputs]).toEqual([2_000_000, [{ output: "output", rowsSent: 2_000_000 }]]);
  expect(bytes).toBeGreaterThan(110_000_000);
  expect(rssMax - before).toBeLessThan(150 * 1024 * 1024);
  expect(report.peakMemoryBytes).toBeLessThan(250 * 1024 * 1024);
});

test("the machine's list of file types can be read: openpyxl and others can't be imported where Python's mimetypes may not", async () => {
  const asking = reading("import mimetypes", "mimetypes.init()", "yield [{'type': mimetypes.guess_type('a.csv')[0]}]");
  expect(rowsOf(await runner.run({ source: asking }))).toEqual([{ type: "text/csv" }]);
});

test("a plugin may be called like a package that it imports", async () => {
  expect(rowsOf(await runner.run({ plugin: "pandas", source: reading("yield pd.DataFrame({'n': [1]})") }))).toEqual([{ n: 1n }]);
});
