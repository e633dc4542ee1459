import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { z } from "zod";
import { isHomeHeld, runFileOf } from "./home-lock.ts";

const shape = z.object({
  pid: z.int(),
  startedAt: z.iso.datetime(),
  command: z.string(),
  database: z.object({ url: z.string(), readerUrl: z.string() }),
  temporal: z.object({ address: z.string(), namespace: z.string(), uiUrl: z.string().nullable() }),
});

/** Who runs in a home, and where its services are. Holds passwords. */
export type RunFile = Readonly<z.infer<typeof shape>>;

/** Tells other commands of this home where the services are, in `<stateDir>/run.json`, readable for its owner only. Whoever writes it holds the home. */
export async function writeRunFile(stateDir: string, run: RunFile): Promise<{ remove(): Promise<void> }> {
  const file = runFileOf(stateDir);
  await writeFile(`${file}.new`, `${JSON.stringify(run, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return { remove: () => rm(file, { force: true }) };
}

/** Null when nothing runs in this home, or it is still starting. What a killed program left is not taken for a running one. */
export async function readRunFile(stateDir: string): Promise<RunFile | null> {
  if (!isHomeHeld(stateDir)) return null;
  const text = await readFile(runFileOf(stateDir), "utf8").catch(() => undefined);
  return text === undefined ? null : shape.parse(JSON.parse(text));
}
