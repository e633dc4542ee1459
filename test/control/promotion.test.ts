import { afterAll, beforeEach, expect, test } from "vitest";
import { activatePlugin, rollBackPlugin } from "../../control/activate-plugin.ts";
import { showPlugin } from "../../control/list-plugins.ts";
import { insertComparison } from "../../db/comparison.ts";
import { activateArtifact } from "../../db/plugin.ts";
import { transaction } from "../../db/pool.ts";
import type { ComparisonResult, FileComparison } from "../../domain/comparison.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";

const { db, close } = await testDatabase();
afterAll(close);
const context = { db, actor: "ann@desk", temporal: null };
const fill = fillRecord(db);

let name: string;
let ids: readonly [one: string, two: string, three: string];
let made = 0;

/** Versions 1, 2 and 3 of a plugin, of which 1 is active. */
beforeEach(async () => {
  name = `p${(made += 1)}`;
  ids = [await fill.plugin(name, "1"), await fill.plugin(name, "2"), await fill.plugin(name, "3")];
  await transaction(db, (tx) => activateArtifact(tx, name, ids[0]));
});

/** Keeps a comparison of two versions as if it had just been made. */
function compared(before: string, after: string, outcome: "same" | "different", isComplete = true): Promise<string> {
  const nothing = { reason: null, failures: { before: null, after: null }, timing: { before: null, after: null }, outputs: [] };
  const file: FileComparison = { versionId: "1", source: "in", path: "a.csv", sequence: 1, contentHash: "", outcome, ...nothing };
  const verdict = outcome === "same" ? "SAME" : "DIFFERENT";
  const result: ComparisonResult = { verdict, isComplete, files: [file], outputs: [], timing: null };
  const request = { on: null, source: null, allVersions: false, limit: 1, key: [], tolerance: null };
  const [b, a] = [before, after].map((id) => ({ id, artifactHash: "" })) as [
    { id: string; artifactHash: string },
    { id: string; artifactHash: string },
  ];
  return insertComparison(db, { plugin: name, before: b, after: a, actor: "bob@desk", startedAt: new Date(), request, result });
}

const activate = (version: string, options: { comparison?: string; acceptDifferences?: boolean; required?: boolean } = {}) =>
  activatePlugin(context, name, version, { insert: false, ...options });
const promotion = async (version: string) => (await showPlugin(context, name, version)).promotion;

test("a version is activated with the newest comparison of exactly the two, and plugin show says so", async () => {
  await compared(ids[0], ids[1], "different");
  const newest = await compared(ids[0], ids[1], "same");
  // Of other versions, and the other way round.
  await compared(ids[0], ids[2], "same");
  await compared(ids[1], ids[0], "same");
  expect((await activate("2")).comparison?.id).toBe(newest);
  expect(await promotion("2")).toMatchObject({
    replaced: "1",
    actor: "ann@desk",
    differencesAccepted: false,
    comparison: { id: newest, verdict: "SAME", filesCompared: 1 },
  });
  expect(await promotion("3")).toBeNull();
});

test("another comparison of the two may be named, and one of others is refused", async () => {
  const older = await compared(ids[0], ids[1], "same");
  await compared(ids[0], ids[1], "different");
  const other = await compared(ids[2], ids[1], "same");
  await expect(activate("2", { comparison: other })).rejects.toThrow(`comparison ${other} is of ${name} 2 against 3`);
  await expect(activate("2", { comparison: "77777" })).rejects.toThrow("there is no comparison 77777");
  expect((await activate("2", { comparison: older })).comparison?.id).toBe(older);
  await expect(
    db.query(
      "insert into cf_plugin_promotion (plugin_id, replaced_id, comparison_id, differences_accepted, actor) values ($1, $2, $3, false, 'eve')",
      [ids[1], ids[0], other],
    ),
  ).rejects.toThrow(/foreign key/);
});

test("without the policy a version is activated without proof, and that is said", async () => {
  expect((await activate("2")).comparison).toBeNull();
  expect(await promotion("2")).toMatchObject({ replaced: "1", comparison: null });
});

test("the policy refuses a version without a comparison, with differences that nobody accepted, and with one that ended early", async () => {
  const missing = { code: "PROOF_MISSING" };
  await expect(activate("2", { required: true })).rejects.toMatchObject({
    ...missing,
    hint: `casparian plugin compare ${name}@2 --against 1`,
  });
  await expect(activate("2", { required: true, acceptDifferences: true })).rejects.toThrow("there is no comparison whose differences");
  const early = await compared(ids[0], ids[1], "different", false);
  await expect(activate("2", { required: true, acceptDifferences: true })).rejects.toMatchObject({
    ...missing,
    message: expect.stringContaining(`comparison ${early} of ${name} 2 with 1 ended at the first file that differs`) as string,
  });
  const whole = await compared(ids[0], ids[1], "different");
  await expect(activate("2", { required: true })).rejects.toMatchObject(missing);
  await activate("2", { required: true, acceptDifferences: true });
  expect(await promotion("2")).toMatchObject({ differencesAccepted: true, comparison: { id: whole }, actor: "ann@desk" });
});

test("the policy asks nothing of what was active before, when going back, nor where none is active", async () => {
  await compared(ids[0], ids[1], "same");
  await activate("2", { required: true });
  expect(await rollBackPlugin(context, name)).toMatchObject({ plugin: { version: "1" }, comparison: null });
  await db.query("update cf_plugin_manifest set state = 'RETIRED' where id = $1", [ids[0]]);
  expect(await activate("3", { required: true })).toMatchObject({ changed: true, comparison: null });
});

test("comparisons and promotions stay as they are", async () => {
  const id = await compared(ids[0], ids[1], "same");
  await activate("2");
  await expect(db.query("update cf_plugin_comparison set verdict = 'DIFFERENT' where id = $1", [id])).rejects.toThrow(/immutable/);
  await expect(db.query("delete from cf_plugin_promotion")).rejects.toThrow(/immutable/);
});
