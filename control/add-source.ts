import { constants, statSync } from "node:fs";
import { access } from "node:fs/promises";
import { relative, resolve, sep } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { insertAudit } from "../db/audit.ts";
import { transaction } from "../db/pool.ts";
import { defaultSettings, insertSource, listSources, settingNames, updateSource, type SourceSettings } from "../db/source-root.ts";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { requireName } from "../domain/name.ts";
import { checkPattern } from "../domain/route.ts";
import type { ControlContext } from "./context.ts";
import { findSource, type Source } from "./find-source.ts";
import { timetableOf } from "./schedules/wish.ts";
import { realPath } from "./real-path.ts";

export interface AddSourceRequest {
  readonly name: string;
  /** The folder; that of the source with this name unless given. */
  readonly path?: string | undefined;
  /** Those that are not given stay as they are, or have their defaults. */
  readonly settings?: Partial<SourceSettings> | undefined;
  /** Where our own outputs go: never taken for input, also where a source holds them. */
  readonly ownFolders: readonly string[];
}

export interface AddedSource {
  readonly outcome: "added" | "changed" | "unchanged";
  readonly source: Source;
  /** Sentences: what a person should know about this source. */
  readonly warnings: readonly string[];
}

/**
 * Adds a folder that files come from. The same name and path again is fine, and changes the settings that are given.
 * Throws WrongUse for what is no folder that can be read, for a name that is no name, and for one that another folder has.
 */
export async function addSource({ db, actor }: ControlContext, request: AddSourceRequest): Promise<AddedSource> {
  requireName(request.name, "a source");
  const chosen = request.settings ?? {};
  checkSettings(chosen);
  return transaction(db, async (tx) => {
    const sources = await listSources(tx);
    const path = request.path === undefined ? (await findSource(tx, request.name)).path : resolve(request.path);
    const existing = sources.find((source) => source.name === request.name);
    if (existing !== undefined && existing.path !== path) {
      throw new WrongUse(
        `source ${request.name} is another folder: ${existing.path}`,
        `Choose another name, or remove it first: casparian source remove ${request.name}`,
      );
    }
    const own = ownFoldersWithin(path, request.ownFolders);
    const before = settingsOf(existing ?? defaultSettings);
    const merged = { ...before, ...chosen };
    const settings = { ...merged, exclude: [...new Set([...merged.exclude, ...own])] };
    checkTogether(settings);
    const isAsBefore = request.path === undefined && before.workerGroup === settings.workerGroup;
    const elsewhere = isAsBefore ? [] : await checkFolder(path, settings.workerGroup);
    const outcome = existing === undefined ? "added" : isDeepStrictEqual(before, settings) ? "unchanged" : "changed";
    if (existing === undefined) await insertSource(tx, { name: request.name, path, ...settings });
    else if (outcome === "changed") await updateSource(tx, existing.id, settings);
    if (outcome !== "unchanged") {
      await insertAudit(tx, {
        actor,
        action: existing === undefined ? "source.add" : "source.change",
        subject: request.name,
        detail: { path, ...settings },
      });
    }
    const added = await findSource(tx, request.name);
    return { outcome, source: added, warnings: [...elsewhere, ...warn(added, sources, own)] };
  });
}

function settingsOf(from: SourceSettings): SourceSettings {
  return Object.fromEntries(settingNames.map((name) => [name, from[name]])) as unknown as SourceSettings;
}

function checkSettings({ include = [], exclude = [], workerGroup }: Partial<SourceSettings>): void {
  for (const pattern of [...include, ...exclude]) checkGlob(pattern);
  if (workerGroup !== undefined && workerGroup !== null) requireName(workerGroup, "a group of workers");
}

function checkTogether({ everyMs, cron, sizeBytesMin, sizeBytesMax }: SourceSettings): void {
  if (everyMs !== null && cron !== null)
    throw new WrongUse("a source is scanned at intervals or by cron, not both", "Give --every or --cron");
  if (everyMs !== null && everyMs < 1_000)
    throw new WrongUse("a source can't be scanned more often than each second", "Give --every 1s or more");
  timetableOf({ everyMs, cron });
  if (sizeBytesMax !== null && sizeBytesMax < sizeBytesMin) {
    throw new WrongUse(`no file is at least ${sizeBytesMin} and at most ${sizeBytesMax} bytes large`, "Change --min-size or --max-size");
  }
}

/** Throws for a folder that this machine's workers are to read and can't; returns what to warn of where others are to. */
async function checkFolder(path: string, workerGroup: string | null): Promise<readonly string[]> {
  try {
    await requireFolder(path);
    return [];
  } catch (error) {
    if (!(error instanceof WrongUse) || workerGroup === null) throw error;
    return [`${error.message} on this machine; the workers of group ${workerGroup} must find it there`];
  }
}

async function requireFolder(path: string): Promise<void> {
  try {
    if (!statSync(path).isDirectory()) throw new WrongUse(`${path} is not a folder`, "A source is a folder; a rule chooses files in it");
    await access(path, constants.R_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof WrongUse) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const hint = "Create it, or mount it, then add it; one that only other machines reach: --workers GROUP";
    if (code === "ENOENT") throw new WrongUse(`there is no folder ${path}`, hint);
    throw new WrongUse(`the folder ${path} can't be read: ${messageOf(error)}`, "Let the user that runs casparian read it");
  }
}

function checkGlob(pattern: string): void {
  try {
    checkPattern(pattern);
  } catch (error) {
    throw new WrongUse(`"${pattern}" is not a pattern: ${messageOf(error)}`);
  }
}

/** Our outputs must not become input: each would be found, recorded, and perhaps processed again, without end. */
function ownFoldersWithin(path: string, folders: readonly string[]): readonly string[] {
  const root = realPath(path);
  return folders
    .map((folder) => relative(root, realPath(folder)).replaceAll(sep, "/"))
    .filter((below) => below !== "" && below !== ".." && !below.startsWith("../"))
    .map((below) => `/${below}/`);
}

function warn(added: Source, others: readonly Source[], own: readonly string[]): readonly string[] {
  const warnings = others
    .filter((other) => other.name !== added.name)
    .flatMap((other) => {
      if (realPath(other.path) === realPath(added.path)) return [`source ${other.name} is the same folder`];
      if (isWithin(added.path, other.path)) return [`it lies inside source ${other.name} (${other.path})`];
      if (isWithin(other.path, added.path)) return [`source ${other.name} (${other.path}) lies inside it`];
      return [];
    })
    .map((fact) => `${fact}: files of both are recorded and processed twice, once for each source`);
  return own.length === 0 ? warnings : [...warnings, `it holds this folder's own files, which are left out: ${own.join(", ")}`];
}

function isWithin(inner: string, outer: string): boolean {
  return realPath(inner).startsWith(realPath(outer).replace(/\/?$/, "/"));
}
