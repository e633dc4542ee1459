import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { generateKey, readKey } from "../../bridge/signing-key.ts";
import { activatePlugin, rollBackPlugin } from "../../control/activate-plugin.ts";
import { showPlugin } from "../../control/list-plugins.ts";
import { publishPlugin } from "../../control/publish-plugin.ts";
import { rejectPlugin } from "../../control/reject-plugin.ts";
import { signPlugin } from "../../control/sign-plugin.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { testDatabase } from "../support/database.ts";
import { testTools } from "../support/tools.ts";

const { db, close } = await testDatabase();
const folder = await mkdtemp(join(tmpdir(), "casparian-signed-in-"));
afterAll(async () => {
  await close();
  await rm(folder, { recursive: true, force: true });
});

const anybody = { db, actor: "ann@desk", temporal: null };
const ann = { issuer: "https://login.example.org", subject: "4711", email: "ann@example.org" };
const signedIn = { ...anybody, signIn: async () => ann };
const nobody = {
  ...anybody,
  signIn: () => Promise.reject(new TerminalFailure({ code: "SIGN_IN_REQUIRED", message: "nobody is signed in" })),
};
const key = readKey(generateKey().pem);
const audits = async () =>
  (await db.query("select action, actor, actor_issuer, actor_subject, actor_email from cf_audit order by id")).rows;

async function publish(context: typeof anybody, code: string) {
  const file = join(folder, "clean.py");
  await writeFile(file, `class Handler:\n    def execute(self, file_path):\n        return ${code}\n`);
  return publishPlugin(context, { file, force: false, backfill: false, tools: testTools() });
}

test("where signing in is required, nothing that changes which code runs is done without it", async () => {
  const attempts = [
    () => publish(nobody, "0"),
    () => activatePlugin(nobody, "clean", "1"),
    () => rollBackPlugin(nobody, "clean"),
    () => rejectPlugin(nobody, "clean", "1", "why"),
    () => signPlugin(nobody, "clean", "1", key),
  ];
  for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
  expect(await audits()).toEqual([]);
});

test("who did it is on record, with the server that says so; where nobody needs to sign in, the account of the machine", async () => {
  expect((await publish(anybody, "1")).plugin).toMatchObject({ publisher: "ann@desk", publisherIdentity: null });
  expect((await publish(signedIn, "2")).plugin).toMatchObject({ publisher: "ann@desk", publisherIdentity: ann });
  await rollBackPlugin(signedIn, "clean");
  await activatePlugin(signedIn, "clean", "2");
  await signPlugin(signedIn, "clean", "2", key);
  await rejectPlugin(signedIn, "clean", "1", "it drops rows");
  const [first, ...others] = await audits();
  expect(first).toEqual({ action: "plugin.publish", actor: "ann@desk", actor_issuer: null, actor_subject: null, actor_email: null });
  const actions = ["plugin.publish", "plugin.activate", "plugin.activate", "plugin.sign", "plugin.reject"];
  expect(others).toEqual(
    actions.map((action) => ({
      action,
      actor: "ann@desk",
      actor_issuer: ann.issuer,
      actor_subject: "4711",
      actor_email: "ann@example.org",
    })),
  );
  expect((await showPlugin(anybody, "clean")).plugin.publisherIdentity).toEqual(ann);
});

test("who published is never changed, and an e-mail address belongs to somebody", async () => {
  await expect(db.query("update cf_plugin_manifest set publisher_email = 'eve@example.org' where version = '2'")).rejects.toThrow(
    "immutable",
  );
  await expect(
    db.query("insert into cf_audit (actor, action, subject, actor_email) values ('a', 'b', 'c', 'eve@example.org')"),
  ).rejects.toThrow("cf_audit_identity");
});
