import { Int32, RecordBatchStreamWriter, tableFromArrays, vectorFromArray, Table } from "apache-arrow";
import { expect, test } from "vitest";
import { frameKinds } from "../../bridge/frames.ts";
import { parseMessage } from "../../bridge/message.ts";
import { frame } from "./forged-frames.ts";
import { createRunner } from "./run-plugin.ts";

const runner = createRunner();

/** One table as separate messages: its schema, then its batch. */
function messagesOf(columns: Record<string, readonly number[]>): readonly [Uint8Array, Uint8Array] {
  const table = new Table(
    Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, vectorFromArray(values, new Int32())])),
  );
  const stream = RecordBatchStreamWriter.writeAll(table).toUint8Array(true);
  const view = new DataView(stream.buffer, stream.byteOffset);
  const schemaBytes = 8 + view.getInt32(4, true);
  return [stream.slice(0, schemaBytes), stream.slice(schemaBytes, stream.byteLength - 8)];
}

const [schema, batch] = messagesOf({ n: [1, 2, 3] });

const open = frame(frameKinds.open, 0, "forged");
const opened = Buffer.concat([open, frame(frameKinds.message, 0, schema)]);
const one = frame(frameKinds.message, 0, batch);

test("what the plugin itself wrote does not pass for a result", async () => {
  const forged = Buffer.concat([opened, one, frame(frameKinds.end, 0, '{"rows":{"0":3}}')]);
  const failure = await runner.fail({ plugin: "forges_frames", input: forged.toString("hex") });
  // The plugin's side then says its own end.
  expect(failure).toMatchObject({ code: "PLUGIN_PROTOCOL", message: expect.stringContaining("a frame came after the end") as string });
});

test.each([
  ["a length that nobody sends", frame(frameKinds.message, 0, "", 0xfffffff0), /has 4294967280 bytes, and 268435456 is the most/],
  ["a long name", frame(frameKinds.open, 0, "", 0x7fffffff), /has 2147483647 bytes, and 1048576 is the most/],
  ["a message without an output", frame(frameKinds.message, 0, schema), /output number 0, which was not opened/],
  ["a batch before the schema", Buffer.concat([open, one]), /does not begin with its schema/],
  ["a second schema", Buffer.concat([opened, frame(frameKinds.message, 0, schema)]), /has a second schema/],
  ["an output opened twice", Buffer.concat([opened, frame(frameKinds.open, 1, "forged")]), /was opened twice/],
  ["an output out of turn", frame(frameKinds.open, 7, "forged"), /output number 7 is not the next/],
  ["a path as an output", frame(frameKinds.open, 0, "../../etc"), /is not an output's name/],
  ["a lineage column", Buffer.concat([open, frame(frameKinds.message, 0, messagesOf({ _cf_job_id: [1] })[0])]), /has a column _cf_job_id/],
  ["counts that don't hold", Buffer.concat([opened, one, frame(frameKinds.end, 0, '{"rows":{"0":4}}')]), /sent 4 rows, 3 came/],
  ["an end without an output's count", Buffer.concat([opened, frame(frameKinds.end, 0, "{}")]), /sent undefined rows, 0 came/],
  ["an end that is not JSON", frame(frameKinds.end, 0, "[1"), /is not a JSON object/],
  ["a kind that is not there", frame(9, 0, "x"), /no frame of kind 9/],
  ["bytes that are no message", Buffer.concat([opened, frame(frameKinds.message, 0, "12345678abcdefgh")]), /malformed/],
  ["a half frame", Buffer.concat([opened, frame(frameKinds.message, 0, batch, batch.byteLength + 8)]), /malformed|ended within/],
])("%s ends the job", async (_what, forged, message) => {
  const opens: string[] = [];
  const failure = await runner.fail({
    plugin: "forges_frames",
    input: forged.toString("hex"),
    handlers: { open: async (output) => void opens.push(output) },
  });
  expect(failure).toMatchObject({ code: "PLUGIN_PROTOCOL", message: expect.stringMatching(message) as string });
  expect(opens.filter((output) => output !== "forged")).toEqual([]);
});

test("a message tells its kind, rows and columns", () => {
  expect(parseMessage(schema)).toMatchObject({ message: { kind: "schema", rows: 0 }, columns: ["n"] });
  expect(parseMessage(batch)).toMatchObject({ message: { kind: "batch", rows: 3 }, columns: [] });
  const columns = Array.from({ length: 300 }, (_, n) => `column ${n}`);
  expect(parseMessage(messagesOf(Object.fromEntries(columns.map((name) => [name, [1]])))[0]).columns).toEqual(columns);
});

test("no damage to a message's metadata does more than to make it malformed", () => {
  const metadataBytes = new DataView(batch.buffer).getInt32(4, true);
  let refused = 0;
  for (const message of [schema, batch]) {
    for (let at = 0; at < Math.min(message.byteLength, 8 + metadataBytes); at += 1) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const damaged = message.slice();
        damaged[at] = value;
        try {
          parseMessage(damaged);
        } catch (error) {
          expect(String(error)).toMatch(/^Error: /);
          refused += 1;
        }
      }
    }
  }
  expect(refused).toBeGreaterThan(100);
});

test("a plugin's fork that runs on does not send rows twice", async () => {
  const source = "import os\nclass Handler:\n    def execute(self, file_path):\n        os.fork()\n        yield [{'a': 1}]\n";
  expect((await runner.run({ source })).outputs).toEqual([{ output: "output", rowsSent: 1 }]);
});

test("tables of other writers are read", () => {
  const stream = RecordBatchStreamWriter.writeAll(tableFromArrays({ text: ["a", "b"] })).toUint8Array(true);
  expect(parseMessage(stream.slice(0, 8 + new DataView(stream.buffer, stream.byteOffset).getInt32(4, true))).columns).toEqual(["text"]);
});
