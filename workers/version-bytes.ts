import { join } from "node:path";
import { openInput } from "../activities/input.ts";
import type { CompareMeans } from "../control/compare-plugins.ts";
import { findStore, viewsFolder } from "../snapshots/store.ts";
import { ownFolder } from "./own-folder.ts";

/** Opens the bytes of versions on record as jobs do: out of the home's copies, the file that is there, or its archive. */
export async function createVersionBytes(stateDir: string): Promise<CompareMeans["openBytes"]> {
  const store = await findStore(stateDir);
  const snapshots = store === null ? {} : { snapshots: { store, views: await ownFolder(viewsFolder(store)) } };
  const scratchRoot = await ownFolder(join(stateDir, "scratch"));
  return async (db, version, signal) => {
    const opened = await openInput(version, signal, { db, scratchRoot, ...snapshots });
    return opened.same ? opened.input : { reason: opened.reason };
  };
}
