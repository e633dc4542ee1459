import { mkdtemp, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import { execa } from "execa";
import { afterAll, describe, expect, test } from "vitest";
import { vectorIn } from "../../arrow/flatbuffer.ts";
import { openMessage } from "../../arrow/message.ts";
import { createParquetSink } from "../../sinks/parquet.ts";
import { messagesOf, numbers, requestFor } from "./arrow.ts";
import { openParquetFolder } from "./parquet-folder.ts";

const { baseDir, sink, newUri, stage, visible, arrow, close } = await openParquetFolder();
afterAll(close);

describe("what is refused", () => {
  test("no columns, and names that no reader could tell from others", async () => {
    await expect(stage(tableToIPC(tableFromArrays({}), "stream"))).rejects.toMatchObject({ code: "SINK_COLUMNS" });
    for (const name of ["_cf_job_id", "_CF_Source_Hash"])
      await expect(stage(tableToIPC(tableFromArrays({ [name]: [1] }), "stream"))).rejects.toThrow(
        `column "${name}" has the name of a lineage`,
      );
    const twice = await arrow(`pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])`);
    await expect(stage(twice)).rejects.toThrow(`two columns of the output are named "a"`);
  });

  test("values that their new unit can't hold, by column", async () => {
    const refused = [
      [`pa.table({"d": pa.array([86400001], pa.date64())})`, `column "d" of type date64[ms] holds 86400001`],
      [`pa.table({"t": pa.array([2**62], pa.timestamp("s"))})`, `column "t" of type timestamp[s] holds 4611686018427387904`],
      [`pa.table({"s": pa.array([2**31 - 1], pa.int32()).view(pa.time32("s"))})`, `column "s" of type time32[s] holds 2147483647`],
      [
        `pa.table({"l": pa.array([[{"d": 5}]], pa.list_(pa.struct([("d", pa.date64())])))})`,
        `column "l.item.d" of type date64[ms] holds 5`,
      ],
    ] as const;
    for (const [table, message] of refused) {
      const uri = newUri();
      const failing = stage(await arrow(table), { uri });
      await expect(failing).rejects.toMatchObject({ code: "SINK_VALUE" });
      await expect(failing).rejects.toThrow(message);
      expect(await visible(uri.replace("parquet://", ""))).toEqual([]);
    }
  });

  test("what is no Arrow data, and the encoder goes on with the next output", async () => {
    const { schema, messages } = messagesOf(numbers(1000));
    const garbage = { ...schema, bytes: schema.bytes.map((byte, index) => (index < 8 ? byte : byte ^ 0x5a)) };
    await expect(sink.open(requestFor(garbage))).rejects.toMatchObject({ code: "SINK_SCHEMA" });
    const batch = messages[0]!;
    const damaged = [
      batch.bytes.slice(0, -64),
      // The encoder panics where a buffer lies outside of its message, and its thread is replaced.
      withNumber(batch.bytes, { slot: 2, entry: 1, at: 0, value: -8n }),
      withNumber(batch.bytes, { slot: 2, entry: 1, at: 8, value: 2n ** 30n }),
      withNumber(batch.bytes, { slot: 1, entry: 0, at: 0, value: 999_999n }),
    ];
    for (const [index, bytes] of damaged.entries()) {
      const uri = newUri();
      const writer = await sink.open(requestFor(schema, { uri }));
      await writer.write({ ...batch, bytes });
      await expect(writer.stage(), `batch ${index}`).rejects.toMatchObject({
        code: "SINK_ENCODING",
        message: expect.stringContaining("the Parquet encoder failed: "),
      });
      expect(await visible(uri.replace("parquet://", ""))).toEqual([]);
    }
    expect(await stage(numbers(10))).toMatchObject({ rowsWritten: 10, rowsReadBack: 10 });
  });

  test("more of an output that has ended, and a sink that was closed", async () => {
    const { schema, messages } = messagesOf(numbers(1));
    const writer = await sink.open(requestFor(schema, { uri: newUri() }));
    await writer.stage();
    await expect(writer.write(messages[0]!)).rejects.toMatchObject({ code: "SINK_CLOSED" });
    const closed = createParquetSink({ baseDir });
    await closed.close();
    const late = await closed.open(requestFor(schema, { uri: newUri() }));
    await expect(late.stage()).rejects.toMatchObject({ code: "SINK_CLOSED" });
  });
});

describe("what the system refuses is said in its words, and nothing is left", () => {
  test("a file where a folder should be", async () => {
    await writeFile(join(baseDir, "a-file"), "");
    const failing = stage(numbers(1), { uri: "parquet://a-file/below" });
    await expect(failing).rejects.toMatchObject({ code: "SINK_REFUSED", data: { systemCode: "ENOTDIR" } });
    await expect(failing).rejects.toThrow("ENOTDIR: not a directory");
  });

  test("no room for the file", async () => {
    const stream = join(baseDir, "room.arrows");
    const folder = await mkdtemp(join(baseDir, "no-room-"));
    await writeFile(stream, await arrow(`pa.table({"r": np.random.default_rng(1).normal(size=500_000)})`));
    const script = `ulimit -f 2000; exec "$@"`;
    const { stdout } = await execa("sh", [
      "-c",
      script,
      "sh",
      process.execPath,
      join(import.meta.dirname, "write-much.ts"),
      folder,
      stream,
      "9",
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ code: "SINK_REFUSED", message: expect.stringContaining("EFBIG: file too large") });
    expect(await readdir(folder, { recursive: true })).toEqual(["out"]);
  });
});

/** A record batch with another number in its list of nodes (slot 1) or buffers (slot 2). */
function withNumber(
  batch: Uint8Array,
  { slot, entry, at, value }: { readonly slot: number; readonly entry: number; readonly at: number; readonly value: bigint },
): Uint8Array {
  const bytes = new Uint8Array(batch);
  const { header } = openMessage(bytes);
  header.view.setBigInt64((vectorIn(header, slot)?.at ?? 0) + 16 * entry + at, value, true);
  return bytes;
}
