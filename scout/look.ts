import { pipeline } from "node:stream/promises";
import { formerPaths } from "../db/departure.ts";
import { keepsPresent } from "../db/file-location.ts";
import type { Queryable } from "../db/pool.ts";
import { clearSeen, compareSeen, openSeen, type Differences } from "../db/scan-difference.ts";
import { duePaths } from "../db/scan-pending.ts";
import { TransientFailure } from "../domain/failure.ts";
import { chunksOf } from "./chunks.ts";
import { hintsMax, tidyHints } from "./hints.ts";
import type { ScanRequest } from "./scan-request.ts";
import type { WalkEnd } from "./walk.ts";

/** What a walk met, and how that differs from the record. */
export interface Looked extends WalkEnd {
  readonly files: number;
  readonly differences: Differences;
}

/** Looks at the paths of the request, and at whatever else tells what happened there. */
export async function lookAround(request: ScanRequest, connection: Queryable): Promise<Looked> {
  let paths = await pathsToLookAt(request, connection);
  for (let round = 1; ; round += 1) {
    const looked = await lookAndCompare(request, connection, paths);
    if (looked.scope === null) return looked;
    if (await isTooLittle(request, connection, looked)) paths = null;
    else {
      const former = round > formerRoundsMax || !bringsFiles(looked) ? [] : await formerPaths(connection, request.source.id, hintsMax);
      if (former.length === 0) return looked;
      paths = [...(paths ?? []), ...former];
    }
    await clearSeen(connection);
  }
}

/** Where a file was, another may be now, whose former path is to be looked at in turn, as with rotated logs. */
const formerRoundsMax = 5;

/** Whether a file is here that may have been elsewhere before. */
function bringsFiles({ differences }: Looked): boolean {
  return differences.NEW + differences.CHANGED + differences.REAPPEARED > 0;
}

/** The hints, and what should have settled by now. */
async function pathsToLookAt({ source, paths, log }: ScanRequest, connection: Queryable): Promise<readonly string[] | null> {
  if (paths === null) return null;
  const due = await duePaths(connection, source.id, { settleMs: source.settleMs, nowMs: Date.now() }, hintsMax + 1);
  return tidyHints([...due, ...paths], source.path, (path) =>
    log.warn("a hint leads out of its source and was left out", { source: source.name, path }),
  );
}

/** Whether a part can't tell what happened: it would leave no file present, or the root is empty. */
async function isTooLittle({ source }: ScanRequest, connection: Queryable, { differences, rootIsEmpty }: Looked): Promise<boolean> {
  return differences.VANISHED > 0 && (rootIsEmpty || !(await keepsPresent(connection, source.id)));
}

async function lookAndCompare(request: ScanRequest, connection: Queryable, paths: readonly string[] | null): Promise<Looked> {
  const { source, signal } = request;
  const { files, ...end } = await look(request, connection, paths);
  signal.throwIfAborted();
  request.onProgress?.({ step: "compare", filesSeen: files, filesToHash: 0, filesHashed: 0, bytesHashed: 0 });
  const { scope } = end;
  const clock = { settleMs: source.settleMs, nowMs: Date.now() };
  const differences = await compareSeen(connection, { sourceId: source.id, scope, limits: source, ...clock });
  requireWithin(request, files, differences.readyBytes);
  return { ...end, files, differences };
}

async function look(
  request: ScanRequest,
  connection: Queryable,
  paths: readonly string[] | null,
): Promise<WalkEnd & { readonly files: number }> {
  const { source, threads, signal, onProgress } = request;
  const { path: root, include, exclude, archives } = source;
  const walk = threads.walk({ root, include, exclude, archives, paths }, signal);
  let files = 0;
  let end: WalkEnd | undefined;
  await pipeline(async function* () {
    for await (const chunk of chunksOf(walk, (walked) => (end = walked))) {
      files += chunk.files;
      requireWithin(request, files, 0);
      onProgress?.({ step: "walk", filesSeen: files, filesToHash: 0, filesHashed: 0, bytesHashed: 0 });
      yield chunk.lines;
    }
  }, openSeen(connection));
  return { files, ...end! };
}

/** Throws TransientFailure SCAN_TOO_LARGE where the request has bounds and this is beyond. */
export function requireWithin({ source, bounds }: ScanRequest, files: number, bytes: number, archiveBytes = 0): void {
  if (bounds === undefined || (files <= bounds.files && bytes <= bounds.bytes && archiveBytes <= (bounds.archiveBytes ?? 0))) return;
  throw new TransientFailure({ code: "SCAN_TOO_LARGE", message: `source ${source.name} has more to scan than a short step takes on` });
}
