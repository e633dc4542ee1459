import { expect } from "vitest";
import type { Product } from "../../support/product.ts";
import { fileOf, pluginNames, plugins, type Load, type Plugin } from "./load.ts";
import { readVersions } from "./record.ts";
import type { Survivor } from "./survivor.ts";

/** Where it all happens. */
export interface Scene {
  readonly product: Product;
  readonly survivor: Survivor;
  readonly load: Load;
}

export interface Arrival {
  readonly plugin: Plugin;
  readonly number: number;
}

export function waveOf(wave: number): readonly Arrival[] {
  return pluginNames.flatMap((plugin) => {
    const { ofEachWave } = plugins[plugin];
    return Array.from({ length: ofEachWave }, (_, index) => ({ plugin, number: wave * ofEachWave + index }));
  });
}

/** Files that have not changed yet, and whose jobs have ended well: what comes is to be a second version. */
export async function waveOfChanges({ product, survivor, load }: Scene, newWaves: number): Promise<readonly Arrival[]> {
  const unchanged = Array.from({ length: newWaves }, (_, wave) => waveOf(wave))
    .flat()
    .filter(({ plugin, number }) => load.puts.filter(({ file }) => file === fileOf(plugin, number)).length === 1);
  return survivor.until(async () => {
    await retryFailed({ product, survivor });
    const { rows } = await survivor.withRecord((db) =>
      db.query<{ path: string }>(
        `select l.rel_path as path from cf_file_location l join cf_file_version v on v.location_id = l.id
         join cf_processing_job j on j.file_version_id = v.id where j.state in ('COMPLETED', 'PARTIAL')`,
      ),
    );
    const ended = new Set(rows.map(({ path }) => path));
    return pluginNames.flatMap((plugin) => {
      const ready = unchanged.filter((one) => one.plugin === plugin && ended.has(fileOf(plugin, one.number)));
      const { ofEachWave } = plugins[plugin];
      expect(ready.length).toBeGreaterThanOrEqual(ofEachWave);
      return ready.slice(0, ofEachWave);
    });
  });
}

/** Waits until each file's newest content is on record, and no job goes on. */
export async function untilEnded({ product, survivor, load }: Scene): Promise<void> {
  const newest = new Map(load.puts.map(({ file, hash }) => [file, hash]));
  await survivor.until(async () => {
    await retryFailed({ product, survivor });
    await survivor.withRecord(async (db) => {
      const recorded = new Map((await readVersions(db)).map(({ path, hash }) => [path, hash]));
      expect([...newest].filter(([file, hash]) => recorded.get(file) !== hash)).toEqual([]);
      const { rows } = await db.query(
        `select (select count(*)::int from cf_outbox) as waiting,
           (select count(*)::int from cf_processing_job where state not in ('COMPLETED', 'PARTIAL', 'SUPERSEDED')) as going`,
      );
      expect(rows).toEqual([{ waiting: 0, going: 0 }]);
    });
  });
}

/** Jobs whose plugin was killed have failed, and are tried again as a person would. */
async function retryFailed({ product, survivor }: Pick<Scene, "product" | "survivor">): Promise<void> {
  const { rows } = await survivor.withRecord((db) =>
    db.query<{ id: string }>("select id::text from cf_processing_job where state = 'FAILED'"),
  );
  if (rows.length > 0) await product.json("jobs", "retry", ...rows.map(({ id }) => id));
}
