import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { useEnvironment } from "../../bridge/environment-use.ts";
import { ensureEnvironment, environmentOf, standardEnvironment } from "../../bridge/environments.ts";
import { verifyEnvironments, type CheckedEnvironment } from "../../control/verify-environments.ts";
import { insertArtifact, insertEnvironment } from "../../db/plugin.ts";
import type { PluginEnvironment } from "../../domain/plugin.ts";
import { testDatabase } from "../support/database.ts";
import { quietLog } from "../support/quiet-log.ts";
import { testTools } from "../support/tools.ts";

const { db, close } = await testDatabase();
const stateDir = await mkdtemp(join(tmpdir(), "casparian-verify-"));
const signal = new AbortController().signal;
const tools = testTools();
afterAll(async () => {
  await close();
  await rm(stateDir, { recursive: true, force: true });
});

const tzdata = /^tzdata==[^\n]*\n(?: {4}[^\n]*\n)*/m.exec(standardEnvironment().lockfile)![0].replace(/ ; [^\\]*/, " ");

async function build(environment: PluginEnvironment): Promise<string> {
  const { python } = await ensureEnvironment({
    environment,
    root: join(stateDir, "environments"),
    uv: tools.uv,
    interpreter: tools.python,
    signal,
    log: quietLog,
    onProgress: () => {},
  });
  return dirname(dirname(python));
}

function verify(repair: boolean): Promise<readonly CheckedEnvironment[]> {
  const context = { db, actor: "ann@desk", temporal: null };
  return verifyEnvironments(context, { stateDir, repair, tools: async () => tools, log: quietLog, onProgress: () => {}, signal });
}

const outcomes = async (repair: boolean) => new Map((await verify(repair)).map(({ folder, outcome }) => [folder, outcome]));

test("damaged environments are named, then built again where a version on record needs them, and removed elsewhere", async () => {
  const needed = environmentOf(tzdata, ">=3.10,>=3.1");
  await insertEnvironment(db, needed);
  const manifest = { patterns: [], topic: "output" };
  const artifact = {
    name: "zones",
    version: "1",
    sourceCode: "class Handler: ...",
    artifactHash: "f".repeat(64),
    manifest,
    publisher: "test",
  };
  await insertArtifact(db, { ...artifact, environmentHash: needed.hash });
  const folders = [
    await build(needed),
    await build(environmentOf(tzdata, ">=3.10,>=3.2")),
    await build(environmentOf(tzdata, ">=3.10,>=3.3")),
  ] as const;
  expect([...(await outcomes(false)).values()]).toEqual(["whole", "whole", "whole"]);
  for (const folder of folders.slice(0, 2)) {
    const list = readFileSync(join(folder, "casparian-files.tsv"), "utf8");
    const file = join(folder, /^\S+\t\S+\t(.*tzdata\/__init__\.py)$/m.exec(list)![1]!);
    rmSync(file);
    writeFileSync(file, "raise SystemExit\n");
  }
  const found = await verify(false);
  expect(found.find(({ folder }) => folder === folders[0])).toMatchObject({
    outcome: "damaged",
    damage: expect.stringMatching(/tzdata\/__init__\.py has 17 bytes and not \d+$/) as string,
    plugins: [{ name: "zones", version: "1" }],
  });
  const use = useEnvironment(join(folders[1], "bin", "python"));
  expect(await outcomes(true)).toEqual(
    new Map([
      [folders[0], "rebuilt"],
      [folders[1], "aside"],
      [folders[2], "whole"],
    ]),
  );
  use.release();
  expect(await outcomes(false)).toEqual(
    new Map([
      [folders[0], "whole"],
      [folders[2], "whole"],
    ]),
  );
  const { rows } = await db.query("select actor, action, subject, detail->>'outcome' as outcome from cf_audit order by subject");
  expect(rows).toHaveLength(2);
  expect(rows).toContainEqual({ actor: "ann@desk", action: "environment.repair", subject: folders[0], outcome: "rebuilt" });
});
