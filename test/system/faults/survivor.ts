import { readFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { expect, vi } from "vitest";
import type { Database } from "../../../db/pool.ts";
import { patience } from "../../support/patience.ts";
import { describeProcesses, processesOf, type Product, type RunningProduct } from "../../support/product.ts";
import { withDatabase } from "./record.ts";

/** Whom to kill: by what their command lines hold. */
const victims = { product: "bin/casparian.js", plugin: "parent.py", postgres: "bin/postgres -D", temporal: "server start-dev" } as const;
export type Victim = keyof typeof victims;

/** For all that happens by itself, sooner or later. It only says when there is no hope left. */
const hope = { timeout: 400_000, interval: 500 };

/** A running product that is killed, and started again. */
export interface Survivor {
  /** Plugin processes that were there when their worker had long been killed. */
  readonly outlived: readonly string[];
  withRecord<T>(work: (db: Database) => Promise<T>): Promise<T>;
  /** Waits, unless the product has ended, which it only does where it is killed. */
  until<T>(look: () => Promise<T>): Promise<T>;
  /** Kills one process of the kind, and starts the product again where it ends with it. `choice`: which one, where there are several. */
  kill(kind: Victim, choice: number): Promise<void>;
  /** Asks it to end; with which code it did. */
  stop(): Promise<number | undefined>;
}

export function survivorOf(product: Product, first: RunningProduct): Survivor {
  const outlived: string[] = [];
  let running = first;

  async function until<T>(look: () => Promise<T>): Promise<T> {
    const ended = running.process.then(() => ({ ended: true as const }));
    const seen = vi.waitFor(look, hope).then((value) => ({ value, ended: false as const }));
    // Nobody may be left to ask for it.
    seen.catch(() => {});
    const soonest = await Promise.race([seen, ended]);
    if (soonest.ended) throw new Error(`the product ended by itself: ${running.output()}`);
    return soonest.value;
  }

  async function kill(kind: Victim, choice: number): Promise<void> {
    // Plugins' processes come with the first file after a start.
    await until(async () => {
      const alive = kind === "product" ? [running.process.pid!] : await processesLike(product.home, victims[kind]);
      expect(alive).not.toEqual([]);
      // One that has ended meanwhile was not killed: then the next one is.
      process.kill(alive[choice % alive.length]!, "SIGKILL");
    });
    if (kind === "plugin") return;
    // It does not live without its database or Temporal, and on a busy machine takes its time to end.
    const isHung = await Promise.race([running.process.then(() => false), setTimeout(hope.timeout, true, { ref: false })]);
    if (isHung) throw new Error(`the product goes on without its ${kind}: ${running.output()}`);
    const plugins = async () => processesLike(product.home, victims.plugin);
    await vi
      .waitFor(async () => expect(await plugins()).toEqual([]), { ...patience, interval: 50 })
      .catch(async () => outlived.push(await describeProcesses(await plugins())));
    running = await product.start();
  }

  return {
    outlived,
    withRecord: (work) => withDatabase(running.status.database.url, work),
    until,
    kill,
    stop: async () => (await running.stop()).exitCode,
  };
}

async function processesLike(home: string, part: string): Promise<readonly number[]> {
  const pids = await processesOf(home);
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return pids.filter((_, index) => commands[index]!.replaceAll("\0", " ").includes(part));
}
