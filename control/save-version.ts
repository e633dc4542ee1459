import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { contentsHolding } from "../db/archive-member.ts";
import { loadFileVersion } from "../db/file-version.ts";
import { placesOf, versionsOf, type VersionRow } from "../db/history.ts";
import type { Queryable } from "../db/pool.ts";
import { storesOf } from "../db/snapshot.ts";
import { TerminalFailure, WrongUse } from "../domain/failure.ts";
import { corruptCopy } from "../snapshots/content.ts";
import { inTheWay, notWritable, saveContent } from "../snapshots/save.ts";
import { findStore, snapshotPath, type SnapshotStore } from "../snapshots/store.ts";
import type { ControlContext } from "./context.ts";
import { findFile, type FileRequest } from "./find-file.ts";

export interface SaveRequest extends FileRequest {
  readonly stateDir: string;
  /** The version's number. */
  readonly sequence: number;
  /** A file, or a folder, which then gets a file of the same name. */
  readonly to: string;
  /** Overwrites what is there. */
  readonly force: boolean;
  readonly signal?: AbortSignal;
}

export interface SavedVersion {
  readonly version: VersionRow;
  /** Absolute. */
  readonly savedTo: string;
  /** Where the bytes came from: the copy, or a file that still has them; of a member, the archive or a copy of that. */
  readonly from: string;
}

/** Files with the content that are tried where there is no copy. */
const triedMax = 20;

/**
 * Gives the content of a version back, from its copy or from a file that still has it, the bytes checked by their hash. Throws WrongUse for
 * an unknown file or version and for a target that is there, and TerminalFailure CONTENT_NOT_KEPT or SNAPSHOT_CORRUPT.
 */
export async function saveVersion({ db }: ControlContext, request: SaveRequest): Promise<SavedVersion> {
  const version = await findNumbered(db, request);
  const { contentHash } = version;
  const given = resolve(request.to);
  const savedTo = existsSync(given) && statSync(given).isDirectory() ? join(given, basename(version.path)) : given;
  if (existsSync(savedTo) && !request.force) throw inTheWay(savedTo);
  const save = (from: string) => saveContent({ from, contentHash, to: savedTo, replace: request.force, signal: request.signal });

  const store = await findStore(request.stateDir);
  const copy = store === null ? null : snapshotPath(store.folder, contentHash);
  const outcome = copy === null ? "unreadable" : await save(copy);
  if (outcome === "saved") return { version, savedTo, from: copy! };
  const places = (await placesOf(db, contentHash)).filter((path) => path !== savedTo);
  for (const from of places.slice(0, triedMax)) {
    if ((await save(from)) === "saved") return { version, savedTo, from };
  }
  const from = version.archive === null ? null : await saveMember(db, version.id, { to: savedTo, store, save, signal: request.signal });
  if (from !== null) return { version, savedTo, from };
  if (outcome === "other") throw corruptCopy(store!.folder, contentHash);
  throw await notKept(db, version, store?.id);
}

/** Unpacks it beside the target first. Null where no archive has it. */
async function saveMember(db: Queryable, versionId: string, { to, store, save, signal }: MemberTarget): Promise<string | null> {
  const version = (await loadFileVersion(db, versionId))!;
  const folder = await mkdtemp(join(dirname(to), ".casparian-")).catch((error: unknown) => Promise.reject(notWritable(to, error)));
  try {
    const unpacked = join(folder, "member");
    const copies = store === null ? null : { store, contentsHolding: (id: string) => contentsHolding(db, id) };
    // What reads archives is not needed to list versions.
    const { restoreMember } = await import("../archives/restore-member.ts");
    const { from } = await restoreMember(version, version.archive!, unpacked, { copies, signal: signal ?? new AbortController().signal });
    return from !== null && (await save(unpacked)) === "saved" ? from : null;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface MemberTarget {
  /** Absolute. */
  readonly to: string;
  readonly store: SnapshotStore | null;
  readonly save: (from: string) => ReturnType<typeof saveContent>;
  readonly signal: AbortSignal | undefined;
}

async function findNumbered(db: Queryable, request: SaveRequest): Promise<VersionRow> {
  const { locationId, path } = await findFile(db, request);
  const versions = await versionsOf(db, locationId);
  const version = versions.find(({ sequence }) => sequence === request.sequence);
  if (version !== undefined) return version;
  const last = versions.at(-1)?.sequence ?? 0;
  throw new WrongUse(`${path} has no version ${request.sequence}`, last === 1 ? "It has version 1 only" : `It has versions 1 to ${last}`);
}

async function notKept(db: Queryable, version: VersionRow, store: string | undefined): Promise<TerminalFailure> {
  const elsewhere = (await storesOf(db, [version.contentHash])).some((copy) => copy.store !== store);
  return new TerminalFailure({
    code: "CONTENT_NOT_KEPT",
    message: `the content of version ${version.sequence} of ${version.path} is not to be had: there is no copy of it here, and no file has it any more`,
    hint: elsewhere
      ? "Another home has a copy, that of the worker that scanned it: run this there"
      : `Contents are kept from now on with: casparian source set ${version.source} --snapshots`,
  });
}
