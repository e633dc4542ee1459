import { snapshotsBySource, storeTotals, type SourceSnapshots } from "../db/snapshot.ts";
import { findStore } from "../snapshots/store.ts";
import type { ControlContext } from "./context.ts";

export type { SourceSnapshots } from "../db/snapshot.ts";

export interface StoreTotal {
  readonly contents: number;
  readonly bytes: number;
}

export interface SnapshotList {
  readonly sources: readonly SourceSnapshots[];
  /** The store of this home; null where it has none. Each content counts once. */
  readonly here: (StoreTotal & { readonly folder: string }) | null;
  /** All stores of other homes. */
  readonly elsewhere: StoreTotal;
}

/** What is kept, by source and by store. */
export async function listSnapshots({ db }: ControlContext, stateDir: string): Promise<SnapshotList> {
  const store = await findStore(stateDir);
  const totals = await storeTotals(db);
  const here = totals.find((total) => total.store === store?.id);
  const others = totals.filter((total) => total !== here);
  return {
    sources: await snapshotsBySource(db),
    here: store === null ? null : { folder: store.folder, contents: here?.contents ?? 0, bytes: here?.bytes ?? 0 },
    elsewhere: {
      contents: others.reduce((sum, { contents }) => sum + contents, 0),
      bytes: others.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  };
}
