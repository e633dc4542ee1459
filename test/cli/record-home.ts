import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { commandOn } from "../support/command.ts";
import { testDatabase } from "../support/database.ts";
import { fillRecord } from "../support/record.ts";

/** A home and a record of the test file's own, with the commands that work on them; removed after its tests. */
export async function openRecordHome() {
  const { db, url, close } = await testDatabase();
  const home = await mkdtemp(join(tmpdir(), "casparian-record-"));
  afterAll(async () => {
    await close();
    await rm(home, { recursive: true, force: true });
  });
  return { db, url, home, casparian: commandOn(home, url), record: fillRecord(db) };
}
