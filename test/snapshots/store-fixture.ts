import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { Database } from "../../db/pool.ts";
import { alone } from "../../db/snapshot.ts";
import { openStore, type SnapshotStore } from "../../snapshots/store.ts";

const folders: string[] = [];

/** An empty store below a state folder that `removeStores` removes. */
export async function temporaryStore(): Promise<SnapshotStore & { readonly stateDir: string }> {
  const stateDir = mkdtempSync(join(tmpdir(), "casparian-store-"));
  folders.push(stateDir);
  return { ...(await openStore(stateDir)), stateDir };
}

export function removeStores(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** The hashes of all copies in a store, sorted. */
export function copiesIn({ folder }: SnapshotStore): readonly string[] {
  const prefixes = readdirSync(folder).filter((name) => /^[0-9a-f]{2}$/.test(name));
  return prefixes.flatMap((prefix) => readdirSync(join(folder, prefix)).map((rest) => prefix + rest)).toSorted();
}

/** Names of copies that are not finished. */
export function unfinishedIn({ folder }: SnapshotStore): readonly string[] {
  return readdirSync(join(folder, "incoming"));
}

/** Looks under the lock under which rows go before their files. */
export async function expectRowsHaveFiles(db: Database, store: SnapshotStore): Promise<void> {
  await alone(db, store.id, async () => {
    const { rows } = await db.query<{ hash: string }>("select content_hash as hash from cf_snapshot where store = $1", [store.id]);
    const present = new Set(copiesIn(store));
    expect(rows.filter(({ hash }) => !present.has(hash))).toEqual([]);
  });
}
