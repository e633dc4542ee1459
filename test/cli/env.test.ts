import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openRecordHome } from "./record-home.ts";

const { casparian, record, db, home } = await openRecordHome();

function built(hash: string): string {
  const folder = join(home, ".casparian/environments", `${hash.slice(0, 24)}-py3.11-linux-x64-00000000`);
  mkdirSync(join(folder, "bin"), { recursive: true });
  writeFileSync(join(folder, "bin", "python"), "x".repeat(1_000));
  writeFileSync(join(folder, "casparian-environment.json"), JSON.stringify({ hash, builtAt: new Date(0), bytes: 1_000 }));
  return folder;
}

test("environments are listed with the plugins that they are of, and those that no active version needs are removed", async () => {
  const pluginId = await record.plugin("clean", "1");
  const { rows } = await db.query<{ hash: string }>("select environment_hash as hash from cf_plugin_manifest where id = $1", [pluginId]);
  const needed = built(rows[0]!.hash);
  const old = built("f".repeat(64));
  expect((await casparian("env", "list")).stdout).toMatch(/clean 1/);
  expect(await casparian.json("env", "list")).toEqual(
    expect.arrayContaining([expect.objectContaining({ hash: "f".repeat(64), inUse: false })]),
  );
  expect((await casparian("env", "prune", "--dry-run")).exitCode).toBe(0);
  expect([existsSync(needed), existsSync(old)]).toEqual([true, true]);
  expect((await casparian("env", "prune")).exitCode).toBe(0);
  expect([existsSync(needed), existsSync(old)]).toEqual([true, false]);
});
