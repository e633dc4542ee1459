import { listSources, type Source } from "../db/source-root.ts";
import type { Database } from "../db/pool.ts";
import type { Log } from "../domain/log.ts";
import { watchSource } from "../scout/watch/watch-source.ts";
import { every } from "./every.ts";
import { onDemand } from "./on-demand.ts";
import type { ScanWish } from "./request-scan.ts";

/** How often the list of sources is read again. Milliseconds. */
const sourcesIntervalMs = 2_000;
interface Watched {
  readonly key: string;
  readonly stop: () => Promise<void>;
}

/**
 * Has every active source scanned: wholly when it appears here, in part when its watcher hints at changes. Sources that are added,
 * changed, paused or removed meanwhile are followed. Their schedules have them scanned from time to time.
 */
export function watchSources(options: {
  readonly db: Database;
  readonly log: Log;
  /** Which of them are this process's to watch. */
  readonly isOurs: (source: Source) => boolean;
  readonly requestScan: (source: Source, wish: ScanWish) => Promise<void>;
}): { readonly stop: () => Promise<void> } {
  const { db, log, isOurs, requestScan } = options;
  const watched = new Map<string, Watched>();
  const following = every(sourcesIntervalMs, "reading the sources", log, async () => {
    const sources = (await listSources(db)).filter((source) => source.state === "ACTIVE" && isOurs(source));
    const wanted = new Map(sources.map((source) => [source.name, source]));
    for (const [name, { key, stop }] of watched) {
      if (keyOf(wanted.get(name)) === key) continue;
      watched.delete(name);
      await stop();
    }
    for (const source of sources) {
      if (!watched.has(source.name)) watched.set(source.name, follow(source));
    }
  });

  function follow(source: Source): Watched {
    const scans = onDemand(`asking for a scan of ${source.name}`, log, () => requestScan(source, "everything"));
    const watcher = watchSource({
      path: source.path,
      include: source.include,
      exclude: source.exclude,
      archives: source.archives,
      watch: source.watch,
      settleMs: source.settleMs,
      log,
      onHint: (paths) => void requestScan(source, paths ?? "everything").catch(() => scans.nudge()),
    });
    // What changed behind the first scan and before the watcher was ready, nobody saw.
    void watcher.ready.then((watches) => watches && scans.nudge());
    return {
      key: keyOf(source),
      async stop() {
        await Promise.all([scans.stop(), watcher.close()]);
      },
    };
  }

  return {
    async stop() {
      await following.stop();
      await Promise.all([...watched.values()].map(({ stop }) => stop()));
    },
  };
}

/** What makes a watcher stale when it changes. */
function keyOf(source: Source | undefined): string {
  if (source === undefined) return "";
  const { path, include, exclude, archives, watch, settleMs, priority, workerGroup } = source;
  return JSON.stringify([path, include, exclude, archives, watch, settleMs, priority, workerGroup]);
}
