import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { commandOn, failureOf } from "../support/command.ts";
import { testDatabase } from "../support/database.ts";
import { testTools } from "../support/tools.ts";

const { db, url, close } = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-keys-"));
const casparian = commandOn(home, url);
beforeAll(async () => {
  const python = `[python]\ninterpreter = "${testTools().python}"\n`;
  await writeFile(join(home, "casparian.toml"), `${python}[plugins]\nrequire_signature = true\n`);
  await writeFile(join(home, "clean.py"), 'class Handler:\n    def execute(self, file_path):\n        yield {"a": [1]}\n');
  vi.stubEnv("CASPARIAN_KEYS", join(home, "ring"));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await close();
  await rm(home, { recursive: true, force: true });
});
afterEach(() => void vi.stubEnv("CASPARIAN_KEY_PASSPHRASE", undefined));

async function makeKey(name: string): Promise<string> {
  return (await casparian.json<{ publicKey: string }>("key", "new", name)).publicKey;
}

/** What `doctor` finds wrong with plugins. */
async function troubles(): Promise<readonly string[]> {
  const { stdout } = await casparian("doctor", "--json");
  const { diagnoses } = JSON.parse(stdout) as { diagnoses: { subject: string; severity: string; message: string }[] };
  return diagnoses.filter(({ subject, severity }) => subject === "plugins" && severity === "error").map(({ message }) => message);
}

test("where only signed plugins run, publishing needs a key, which is made with one command and never shown", async () => {
  const unsigned = await casparian("plugin", "publish", "clean.py");
  expect(unsigned).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("casparian key new NAME makes a key") as string });
  expect(await casparian("plugin", "publish", "clean.py", "--sign")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("there is no key in") as string,
  });
  expect((await db.query("select from cf_plugin_manifest")).rowCount).toBe(0);

  const made = await casparian("key", "new", "ann");
  const publicKey = /casparian key trust ann (ed25519:\S{44})/.exec(made.stdout)?.[1];
  expect(publicKey).toBeDefined();
  const file = join(home, "ring", "ann.pem");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(`${made.stdout}${made.stderr}`).not.toContain((await readFile(file, "utf8")).split("\n")[1]);
  expect(await casparian("key", "new", "ann")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("never overwritten") as string,
  });

  expect(await casparian("plugin", "publish", "clean.py", "--sign")).toMatchObject({ exitCode: 0 });
  expect((await casparian("plugin", "show", "clean")).stdout).toContain(`with ${publicKey}, which is not trusted here`);
  expect(await troubles()).toEqual([`clean 1 is signed with a key that is not trusted here: ${publicKey}`]);
  expect((await casparian("key", "trust", "ann", publicKey!)).stdout).toContain("is trusted");
  expect((await casparian("plugin", "show", "clean")).stdout).toMatch(/signed +by ann/);
  expect(await troubles()).toEqual([]);
  const { rows } = await db.query(
    "select action, subject, detail->>'signedWith' as key from cf_audit where action ~ 'publish|key' order by id",
  );
  expect(rows).toEqual([
    { action: "plugin.publish", subject: "clean@1", key: publicKey },
    { action: "key.trust", subject: "ann", key: null },
  ]);
});

test("another's signature takes the place of the first; keys are listed with whose they are; trust may be taken away", async () => {
  const bob = await makeKey("bob");
  expect(failureOf(await casparian("plugin", "sign", "clean", "1", "--json")).message).toBe("there are several keys: ann, bob");
  expect((await casparian("plugin", "sign", "clean", "1", "--key", "bob")).stdout).toContain(`Signed clean 1 with ${bob}`);
  expect(await casparian.json("plugin", "sign", "clean", "1", "--key", "bob")).toMatchObject({ changed: false });
  expect(await casparian.json("plugin", "show", "clean")).toMatchObject({ signature: { key: bob, signer: null, trouble: null } });
  expect(await casparian.json<object[]>("key", "list")).toEqual([
    { publicKey: expect.any(String) as string, trustedAs: "ann", own: "ann" },
    { publicKey: bob, trustedAs: null, own: "bob" },
  ]);
  expect(failureOf(await casparian("key", "trust", "ann", bob, "--json")).message).toContain("ann is trusted with another key");
  expect(failureOf(await casparian("key", "trust", "carl", "ed25519:abc", "--json")).message).toContain("is no public key");
  expect(await casparian.json("key", "distrust", "ann")).toMatchObject({ name: "ann", changed: true });
  expect(failureOf(await casparian("key", "distrust", "ann", "--json")).message).toBe('no key "ann" is trusted here');
});

test("an encrypted key asks for its passphrase", async () => {
  vi.stubEnv("CASPARIAN_KEY_PASSPHRASE", "correct horse");
  expect((await casparian("key", "new", "safe")).stdout).toContain("safe.pem, encrypted");
  expect(await casparian("plugin", "sign", "clean", "1", "--key", "safe")).toMatchObject({ exitCode: 0 });
  vi.stubEnv("CASPARIAN_KEY_PASSPHRASE", undefined);
  const refused = failureOf(await casparian("plugin", "sign", "clean", "1", "--key", "safe", "--json"));
  expect(refused).toMatchObject({ hint: "Set CASPARIAN_KEY_PASSPHRASE to its passphrase" });
});
