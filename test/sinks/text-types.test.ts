import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTextSinks } from "../../sinks/text.ts";
import { testTools } from "../support/tools.ts";
import { messagesOf, requestFor } from "./arrow.ts";

interface Case {
  readonly name: string;
  readonly type: string;
  readonly rows: number;
}

const withoutText = /union|interval|run_end/;
const schemes = ["csv", "jsonl"] as const;
let folder: string;
let cases: readonly Case[];
let sinks: ReturnType<typeof createTextSinks>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "casparian-text-types-"));
  cases = JSON.parse(await python("arrow_types.py", "make")) as readonly Case[];
  sinks = createTextSinks({ baseDir: folder });
});
afterAll(async () => {
  await sinks.close();
  await rm(folder, { recursive: true });
});

test("pyarrow and Python read back what was given, type by type", async () => {
  const kept = cases.filter(({ type }) => !withoutText.test(type));
  expect(kept.length).toBeGreaterThan(110);
  for (const scheme of schemes)
    for (const { name, rows } of kept) {
      const staged = await write(scheme, name);
      expect([name, staged.rowsWritten, staged.rowsReadBack]).toEqual([name, rows, rows]);
      await sinks[scheme].commit(staged);
    }
  expect(JSON.parse(await python("text_types.py", "compare"))).toEqual([]);
});

test("a type without text is refused before any row, by column and type", async () => {
  const refused = cases.filter(({ type }) => withoutText.test(type));
  expect(refused.length).toBeGreaterThan(4);
  for (const scheme of schemes)
    for (const { name } of refused)
      await expect(write(scheme, name), name).rejects.toMatchObject({
        code: "SINK_TYPE",
        message: expect.stringMatching(/^column "c[".]/),
      });
});

async function write(scheme: (typeof schemes)[number], name: string) {
  const { schema, messages } = messagesOf(await readFile(join(folder, `${name}.arrows`)));
  const writer = await sinks[scheme].open(requestFor(schema, { uri: `${scheme}://${scheme}/${name}` }));
  for (const message of messages) await writer.write(message);
  return writer.stage();
}

async function python(script: string, verb: string): Promise<string> {
  const { stdout } = await execa(testTools().environmentPython, [join(import.meta.dirname, script), verb, folder]);
  return stdout;
}
