import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commandOn, failureOf } from "../support/command.ts";
import { testDatabase } from "../support/database.ts";
import { testTools } from "../support/tools.ts";

const { db, url, close } = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-runners-"));
const casparian = commandOn(home, url);
const key = `curve:${Buffer.alloc(32, 7).toString("base64")}`;
beforeAll(async () => {
  await writeFile(join(home, "casparian.toml"), `[python]\ninterpreter = "${testTools().python}"\n`);
  await writeFile(join(home, "scans.py"), 'class Handler:\n    def execute(self, file_path):\n        yield {"a": [1]}\n');
  expect(await casparian("plugin", "publish", "scans.py")).toMatchObject({ exitCode: 0 });
});
afterAll(async () => {
  await close();
  await rm(home, { recursive: true, force: true });
});

test("a folder's key is made once, for its owner only", async () => {
  const made = await casparian.json<{ publicKey: string; file: string }>("runner", "key");
  expect(made.publicKey).toMatch(/^curve:[A-Za-z0-9+/]{43}=$/);
  expect(await casparian.json("runner", "key")).toEqual(made);
  expect((await stat(made.file)).mode & 0o777).toBe(0o600);
});

test("a runner is trusted by key and name, given plugins, listed, missed by doctor, and removed", async () => {
  expect(failureOf(await casparian("plugin", "runner", "scans", "gpu", "--json"))).toMatchObject({
    message: 'no runner "gpu" is trusted here',
  });
  expect(await casparian.json("runner", "trust", "gpu", key)).toMatchObject({ changed: true });
  expect(await casparian.json("runner", "trust", "gpu", key)).toMatchObject({ changed: false });
  expect(await readFile(join(home, "trusted-runners"), "utf8")).toContain(`\n${key} gpu\n`);
  expect(await casparian.json("plugin", "runner", "scans", "gpu")).toEqual({ plugin: "scans", runner: "gpu", before: null });
  expect(await casparian.json("runner", "list")).toEqual([{ name: "gpu", publicKeys: [key], connected: [], plugins: ["scans"] }]);
  const { stdout } = await casparian("doctor", "--json");
  const { diagnoses } = JSON.parse(stdout) as { diagnoses: { subject: string; severity: string; message: string }[] };
  expect(diagnoses.filter(({ subject }) => subject === "runners")).toMatchObject([
    { severity: "warning", message: expect.stringContaining("its jobs wait") as string },
  ]);
  expect(await casparian.json("plugin", "runner", "scans", "--none")).toEqual({ plugin: "scans", runner: null, before: "gpu" });
  expect(await casparian("runner", "remove", "gpu")).toMatchObject({ exitCode: 0 });
  expect(await casparian.json("runner", "list")).toEqual([]);
  const { rows } = await db.query<{ action: string }>("select action from cf_audit where action like '%runner%' order by id");
  expect(rows.map(({ action }) => action)).toEqual(["runner.trust", "plugin.runner", "plugin.runner", "runner.remove"]);
});

test("what is wrong is said with what would be right", async () => {
  expect(failureOf(await casparian("runner", "trust", "gpu", "curve:short", "--json")).hint).toContain("casparian runner key prints it");
  expect(failureOf(await casparian("runner", "remove", "nobody", "--json")).message).toBe('no runner "nobody" is trusted here');
  expect(failureOf(await casparian("runner", "--connect", "host", "--json")).hint).toBe("Give it as tcp://HOST:PORT");
  expect(failureOf(await casparian("runner", "--connect", "tcp://host:1", "--json")).hint).toContain("casparian runner key prints it");
  expect(failureOf(await casparian("plugin", "runner", "scans", "--json")).message).toBe("say which runner, or --none");
});
