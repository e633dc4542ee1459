import { mkdtemp, rm } from "node:fs/promises";
import { renameSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createScoutThreads } from "../../scout/threads.ts";
import { openField, removeTemporaryFolders } from "../scout/fixture.ts";
import { commandOn } from "../support/command.ts";
import { testDatabase } from "../support/database.ts";

const { db, url, close } = await testDatabase();
const home = await mkdtemp(join(tmpdir(), "casparian-moves-"));
const casparian = commandOn(home, url);
const threads = createScoutThreads(1);
afterAll(async () => {
  await threads.close();
  await close();
  await rm(home, { recursive: true, force: true });
  removeTemporaryFolders();
});

test("versions, lineage and files show what moved, and since when a file is gone", async () => {
  const inbox = await openField(db, threads);
  const archive = await openField(db, threads);
  inbox.write("always", "");
  inbox.write("old.csv", "content");
  await inbox.scan();
  renameSync(join(inbox.root, "old.csv"), join(inbox.root, "new.csv"));
  await inbox.scan();
  renameSync(join(inbox.root, "new.csv"), join(archive.root, "kept.csv"));
  await inbox.scan();
  await archive.scan();

  const [old] = await casparian.json<readonly { readonly id: string }[]>("versions", "old.csv");
  const middle = await casparian.json<readonly { readonly id: string }[]>("versions", "new.csv");
  expect(middle).toMatchObject([
    {
      state: "VANISHED",
      vanishedAt: expect.stringMatching(/^\d{4}-/) as string,
      movedFrom: { id: old!.id, source: inbox.source.name, path: "old.csv" },
      movedTo: [{ source: archive.source.name, path: "kept.csv" }],
    },
  ]);
  const shown = (await casparian("versions", "new.csv")).stdout;
  expect(shown).toMatch(/, vanished \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ \(/);
  expect(shown).toContain("\nversion 1 moved from old.csv\n");
  expect(shown).toContain(`\nversion 1 moved to kept.csv of source ${archive.source.name}\n`);

  expect(await casparian.json("lineage", "--file", "new.csv")).toMatchObject([{ version: { movedFrom: { path: "old.csv" } } }]);
  const tree = (await casparian("lineage", "--file", "new.csv")).stdout;
  expect(tree).toContain(`│  moved    from old.csv, version ${old!.id}\n`);
  expect(tree).toContain(`│  moved    to kept.csv of source ${archive.source.name}, version `);

  expect(await casparian.json("files", "--source", inbox.source.name)).toMatchObject([
    { path: "always", state: "PRESENT", vanishedAt: null },
    { path: "old.csv", state: "VANISHED", vanishedAt: expect.any(String) as string },
    { path: "new.csv", state: "VANISHED" },
  ]);
  expect((await casparian("files", "--source", inbox.source.name)).stdout).toMatch(/old\.csv +VANISHED (now|\d+(\.\d)? s ago)/);
  unlinkSync(join(archive.root, "kept.csv"));
});
