import { setTimeout } from "node:timers/promises";
import { expect } from "vitest";
import type { Product } from "../../support/product.ts";
import { leftIn, stagedFiles, stagedTables, type Left } from "./left.ts";
import { createLoad, fileOf, pluginNames, type Put } from "./load.ts";
import { numbersFrom, shuffled } from "./random.ts";
import { readTargets, watchTargets, type Result, type Watched } from "./readers.ts";
import { countAttempts, readRecord, readVersions, refusals, type FoundRecord, type FoundVersion } from "./record.ts";
import { setUp } from "./set-up.ts";
import { survivorOf, type Victim } from "./survivor.ts";
import { untilEnded, waveOf, waveOfChanges } from "./waves.ts";

const kills: readonly Victim[] = ["product", "product", "plugin", "plugin", "postgres", "postgres", "temporal", "temporal"];
/** With each of these kills goes a wave of files that are new; with each later one, a wave of changes to some that have their results. */
const newWaves = 5;
/** These change so fast that versions are replaced before they are read; their numbers are above those of the others. */
const hasty = pluginNames.flatMap((plugin) => [1_001, 1_002].map((number) => ({ plugin, number })));

/** What was put, what was seen meanwhile, and what is there when all has come to rest. */
export interface Aftermath extends FoundRecord {
  readonly puts: readonly Put[];
  /** Files that changed faster than they could be read. */
  readonly hasty: ReadonlySet<string>;
  readonly results: readonly Result[];
  readonly watched: Watched;
  /** The versions that were there before the first file changed. */
  readonly early: readonly FoundVersion[];
  readonly refusals: readonly string[];
  readonly killed: readonly Victim[];
  /** Plugin processes that were there when their worker had long been killed. */
  readonly outlived: readonly string[];
  readonly exitCode: number | undefined;
  readonly left: Left & { readonly tables: readonly string[] };
}

/** Puts hundreds of files before the product, kills its parts at random points, waits until all has come to rest, and tells what is there. */
export async function weather(product: Product, seed: number): Promise<Aftermath> {
  const random = numbersFrom(seed);
  const { home } = product;
  const load = await createLoad(home, product.inbox);
  const early: FoundVersion[] = [];
  const killed = shuffled(kills, random);
  const survivor = survivorOf(product, await setUp(product));
  const scene = { product, survivor, load };
  const watching = await watchTargets(home);
  let watched: Watched;
  try {
    for (const [index, victim] of killed.entries()) {
      if (index === newWaves) early.push(...(await survivor.withRecord(readVersions)));
      const wave = index < newWaves ? waveOf(index) : await waveOfChanges(scene, newWaves);
      const attempts = await survivor.withRecord(countAttempts);
      for (const { plugin, number } of wave) await load.put(plugin, number);
      for (const { plugin, number } of hasty) if (random(2) === 0) await load.put(plugin, number);
      // Somewhere in the midst of that work.
      await survivor.until(async () => expect(await survivor.withRecord(countAttempts)).toBeGreaterThan(attempts));
      await setTimeout(random(1_500));
      await survivor.kill(victim, random(1_000));
    }
    await untilEnded(scene);
    // What a killed attempt had staged beyond the record's knowledge is swept each minute.
    await survivor.until(async () => expect([...(await stagedFiles(home)), ...(await stagedTables(home))]).toEqual([]));
  } finally {
    watched = await watching.end();
  }
  const results = await readTargets(home);
  const found = await survivor.withRecord(async (db) => ({ ...(await readRecord(db)), refusals: await refusals(db) }));
  const tables = await stagedTables(home);
  const exitCode = await survivor.stop();
  const names = hasty.map(({ plugin, number }) => fileOf(plugin, number));
  const left = { ...(await leftIn(home)), tables };
  return { ...found, puts: load.puts, hasty: new Set(names), results, watched, early, killed, outlived: survivor.outlived, exitCode, left };
}
