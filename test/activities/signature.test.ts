import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateKey, readKey } from "../../bridge/signing-key.ts";
import { signPlugin } from "../../control/sign-plugin.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { csv, tablePlugin } from "../support/samples.ts";

let fixture: JobFixture;
let plugins = 0;
beforeAll(async () => void (fixture = await createJobFixture({ requireSignature: true })));
afterAll(() => fixture?.[Symbol.asyncDispose]());

function act<A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> {
  return new MockActivityEnvironment().run(activity, input);
}

/** A plugin of its own, and a way to run it on a new file. */
async function publish() {
  const name = `p${(plugins += 1)}`;
  const pluginId = await fixture.publish(name, tablePlugin, `*.${name}`);
  let files = 0;
  return {
    name,
    pluginId,
    async run() {
      const fileVersionId = await fixture.record(`${(files += 1)}.${name}`, csv(3));
      const { jobs } = await act(fixture.activities.planJobs, { fileVersionId });
      return act(fixture.activities.runPlugin, { jobId: jobs[0]!.jobId, quick: true });
    },
  };
}

async function sign(name: string, key = readKey(generateKey().pem)) {
  const { db } = fixture.database;
  const { rows } = await db.query<{ version: string }>("select version from cf_plugin_manifest where name = $1", [name]);
  await signPlugin({ db, actor: "ann@desk", temporal: null }, name, rows[0]!.version, key);
  return key;
}

/** As somebody does who may do anything with the database. */
async function tamper(change: string): Promise<void> {
  const { db } = fixture.database;
  await db.query("alter table cf_plugin_manifest disable trigger all");
  await db.query(change);
  await db.query("alter table cf_plugin_manifest enable trigger all");
}

test("what nobody signed does not run", async () => {
  const plugin = await publish();
  await expect(plugin.run()).rejects.toMatchObject({ type: "SIGNATURE_MISSING", nonRetryable: true });
});

test("a signature counts from the next job on, for a worker that has met the plugin without it, too", async () => {
  const plugin = await publish();
  await expect(plugin.run()).rejects.toMatchObject({ type: "SIGNATURE_MISSING" });
  const first = await sign(plugin.name);
  fixture.trustedKeys.set(first.publicKey, "ann");
  expect(await plugin.run()).toMatchObject({ outcome: "STAGED" });
  const second = await sign(plugin.name);
  await expect(plugin.run()).rejects.toMatchObject({
    type: "SIGNATURE_UNTRUSTED",
    message: expect.stringContaining(second.publicKey) as string,
  });
});

test("trust counts from the next job on, and so does its end", async () => {
  const plugin = await publish();
  const key = await sign(plugin.name);
  await expect(plugin.run()).rejects.toMatchObject({ type: "SIGNATURE_UNTRUSTED" });
  fixture.trustedKeys.set(key.publicKey, "ann");
  expect(await plugin.run()).toMatchObject({ outcome: "STAGED" });
  fixture.trustedKeys.delete(key.publicKey);
  await expect(plugin.run()).rejects.toMatchObject({ type: "SIGNATURE_UNTRUSTED" });
});

test("code that was changed in the record does not run, whoever signed it before", async () => {
  const plugin = await publish();
  fixture.trustedKeys.set((await sign(plugin.name)).publicKey, "ann");
  await tamper(`update cf_plugin_manifest set source_code = source_code || '# evil' where id = ${plugin.pluginId}`);
  await expect(plugin.run()).rejects.toMatchObject({ type: "ARTIFACT_TAMPERED", nonRetryable: true });
});

test("nor does code that nobody has signed", async () => {
  const plugin = await publish();
  await tamper(`update cf_plugin_manifest set source_code = source_code || '# evil' where id = ${plugin.pluginId}`);
  await expect(plugin.run()).rejects.toMatchObject({ type: "ARTIFACT_TAMPERED", nonRetryable: true });
});

test("nor does it with its hash made to fit, because the signature was over the other", async () => {
  const plugin = await publish();
  fixture.trustedKeys.set((await sign(plugin.name)).publicKey, "ann");
  await tamper(
    `update cf_plugin_manifest set source_code = source_code || '# evil',
       artifact_hash = encode(sha256(convert_to(source_code || '# evil', 'UTF8') || '\\x00'::bytea || convert_to(environment_hash, 'UTF8')), 'hex')
     where id = ${plugin.pluginId}`,
  );
  await expect(plugin.run()).rejects.toMatchObject({ type: "SIGNATURE_INVALID", nonRetryable: true });
});
