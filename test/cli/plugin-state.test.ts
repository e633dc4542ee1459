import { expect, test } from "vitest";
import { openRecordHome } from "./record-home.ts";

const { casparian, record, db } = await openRecordHome();

test("one command goes back to the version before, and jobs stay those of the version that they ran", async () => {
  const first = await record.plugin("clean", "1");
  const source = await record.source("inbox");
  const job = await record.job(await record.version(source, "a.csv", "a"), first, "clean");
  await record.complete(job, 3, "/nowhere/a.parquet");
  const second = await record.plugin("clean", "2");
  const shown = async () => {
    const [one] = await casparian.json<readonly { readonly pluginVersion: string }[]>("jobs", "list");
    return one?.pluginVersion;
  };
  expect(await shown()).toBe("1");
  expect((await casparian("plugin", "rollback", "clean")).exitCode).toBe(0);
  const plugins = await casparian.json<readonly { readonly version: string; readonly state: string }[]>("plugin", "list");
  expect(plugins.map(({ version, state }) => [version, state])).toEqual([
    ["2", "RETIRED"],
    ["1", "ACTIVE"],
  ]);
  expect(await shown()).toBe("1");
  // Nor can anybody make it another's.
  await expect(db.query("update cf_processing_job set plugin_id = $1 where id = $2", [second, job])).rejects.toMatchObject({
    code: "23001",
  });
});

test("what is granted is shown, and taken away again", async () => {
  await record.plugin("reads", "1");
  expect((await casparian("plugin", "grant", "reads", "--read", "/usr/share/zoneinfo", "--host", "db.example:5432")).exitCode).toBe(0);
  expect((await casparian("plugin", "show", "reads")).stdout).toMatch(
    /grants +reads \/usr\/share\/zoneinfo .*, connects to db\.example:5432/,
  );
  expect((await casparian("plugin", "revoke", "reads", "--host", "db.example:5432")).exitCode).toBe(0);
  expect((await casparian("plugin", "show", "reads")).stdout).not.toContain("db.example");
});
