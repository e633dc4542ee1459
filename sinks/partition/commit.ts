import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { TerminalFailure } from "../../domain/failure.ts";
import { lost, type StagedName } from "../files/commit.ts";
import { onFiles, systemCode, unlessGone } from "../files/refusal.ts";
import { syncFolders } from "../files/staging.ts";
import { ownerOfStaged } from "../files/target.ts";
import { areOfOneJob } from "../result-name.ts";
import { resultColumn } from "./address.ts";
import { readManifest, type Manifest } from "./manifest.ts";
import { removeEmptyStaging, removeStagedFolder, replacedPath, type Place } from "./place.ts";
import { swapFolders } from "./swap.ts";

export interface StagedFolder extends StagedName {
  readonly place: Place;
  /** Results whose place it takes. */
  readonly replaced: readonly StagedName[];
  /** Whether nothing else may be left in the folder. */
  readonly isAlone: boolean;
}

/**
 * Makes a staged result of many files visible by one rename of its folder, or, where another has its name, by swapping the two. What each
 * crash leaves, and what the next call finds: before that the staged folder is there, maybe under a name that says who claimed it; after it
 * the target says that it is this very staging, and the staged folder holds what it took the place of, which is then put away.
 *
 * A swap that is done twice is undone. So whoever swaps first claims the staged folder by renaming it to a name of his own, and looks again
 * what is in it: of two at once, one finds nothing or the other's leavings.
 *
 * Throws TerminalFailure SINK_TARGET_TAKEN, and STAGED_LOST where neither the staged folder nor the target is there.
 */
export function commitFolder(staged: StagedFolder): Promise<void> {
  const { place, name, target, replaced } = staged;
  const to = join(place.folder, target);
  return onFiles(`${to} can't be committed`, async () => {
    for (let turn = 1; !(await isAt(to, staged)); turn += 1) {
      const found = await stagedUnder(place, name);
      if (found.length === 0 && turn >= looksMin) throw lost(join(place.staging, name), to);
      // Nothing at all may be a rename in the midst of our look; a claim is that of a process at work, unless it lasts.
      if (found.includes(name) || (found.length > 0 && turn >= patience))
        await makeVisible(staged, found.includes(name) ? name : found[0]!);
      else await setTimeout(pauseMs);
    }
    await putAway(staged);
    for (const other of replaced) if (other.target !== target) await moveReplaced(place, other);
    await syncFolders(place.folder, place.folder);
    await removeEmptyStaging(place);
  });
}

const looksMin = 4;
const patience = 50;
const pauseMs = 20;

/** Removes what is staged; what a commit has made visible, or swapped out, stays. */
export function discardFolder(place: Place, name: string): Promise<void> {
  return onFiles(`${join(place.staging, name)} can't be removed`, async () => {
    for (const found of await namesUnder(place, name)) {
      const manifest = await readManifest(join(place.staging, found));
      if (typeof manifest === "string" || manifest.staged === name) await removeStagedFolder(place, found);
    }
    await removeEmptyStaging(place);
  });
}

/** Removes what attempts that are no longer at work have left, and returns the names. */
export function sweepFolders(place: Place, isAlive: (jobId: string, attempt: number) => Promise<boolean>): Promise<readonly string[]> {
  return onFiles(`${place.staging} can't be swept`, async () => {
    const removed: string[] = [];
    const names = await readdir(place.staging).catch((error: unknown) => unlessGone(error) ?? []);
    for (const found of names) {
      const name = plainName(found);
      const owner = ownerOfStaged(name);
      if (owner === undefined || (await isAlive(owner.jobId, owner.attempt))) continue;
      const manifest = await readManifest(join(place.staging, found));
      // A commit that was killed had swapped it out.
      if (typeof manifest !== "string" && manifest.staged !== name) await keep(place, join(place.staging, found), manifest.staged);
      else {
        await removeStagedFolder(place, found);
        removed.push(found);
      }
    }
    await removeEmptyStaging(place);
    return removed;
  });
}

/** Whether the target is this very staging. */
export function isFolderCommitted(place: Place, staged: StagedName): Promise<boolean> {
  const path = join(place.folder, staged.target);
  return onFiles(`${path} can't be read`, () => isAt(path, staged));
}

/** One attempt, which has no effect where another was quicker. */
async function makeVisible(staged: StagedFolder, found: string): Promise<void> {
  const { place, replaced } = staged;
  const [from, to] = [join(place.staging, found), join(place.folder, staged.target)];
  const manifest = await readManifest(from);
  if (manifest === "nothing") return;
  if (manifest === "foreign") throw changed(from, "its list of files is missing");
  await requireWhole(from, manifest, staged.sizeBytes);
  const there = await readManifest(to);
  const mayYield =
    there !== "foreign" && (there === "nothing" || [staged, ...replaced].some(({ marks }) => marks["result"] === there.result));
  if (!mayYield) throw taken(to);
  if (staged.isAlone) await refuseForeign(staged);
  try {
    if (there === "nothing") await rename(from, to);
    else await swapWith(staged, from, to);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "EEXIST"].includes(systemCode(error) ?? "")) throw error;
  }
}

async function swapWith({ place, name }: StagedFolder, from: string, to: string): Promise<void> {
  const own = join(place.staging, `${name}~${randomBytes(4).toString("hex")}`);
  await rename(from, own);
  const manifest = await readManifest(own);
  if (typeof manifest !== "string" && manifest.staged === name) await swapFolders(own, to);
}

/** The names under which a staging lies in the staging folder: its own, or those of who claimed it. */
async function stagedUnder(place: Place, name: string): Promise<readonly string[]> {
  const under = await namesUnder(place, name);
  const manifests = await Promise.all(under.map((found) => readManifest(join(place.staging, found))));
  return under.filter((found, index) => {
    const manifest = manifests[index]!;
    return typeof manifest === "string" ? manifest === "foreign" && found === name : manifest.staged === name;
  });
}

async function namesUnder({ staging }: Place, name: string): Promise<readonly string[]> {
  const names = await readdir(staging).catch((error: unknown) => unlessGone(error) ?? []);
  return names.filter((found) => plainName(found) === name);
}

function plainName(found: string): string {
  return found.replace(/~[0-9a-f]{8}$/, "");
}

/** Moves what was swapped out to where replaced results are; another attempt's result of the same is removed. */
async function putAway(staged: StagedFolder): Promise<void> {
  const { place, name, replaced } = staged;
  for (const found of await namesUnder(place, name)) {
    const manifest = await readManifest(join(place.staging, found));
    if (typeof manifest === "string" || manifest.staged === name) continue;
    if (replaced.some((other) => other.name === manifest.staged)) await keep(place, join(place.staging, found), manifest.staged);
    else await removeStagedFolder(place, found);
  }
}

async function moveReplaced(place: Place, other: StagedName): Promise<void> {
  const visible = join(place.folder, other.target);
  if (await isAt(visible, other)) await keep(place, visible, other.name);
}

/** Puts a result where replaced ones are. */
async function keep(place: Place, from: string, name: string): Promise<void> {
  const kept = replacedPath(place, name);
  await mkdir(dirname(kept), { recursive: true });
  await rename(from, kept).catch(unlessGone);
  await syncFolders(dirname(kept), dirname(place.folder));
}

async function isAt(path: string, staged: StagedName): Promise<boolean> {
  const there = await readManifest(path);
  return typeof there !== "string" && there.staged === staged.name;
}

/** Only the results that it replaces and other outputs of its job may lie beside a result that is to be alone. */
async function refuseForeign({ place, replaced, marks, target }: StagedFolder): Promise<void> {
  const known = new Set([target, ...replaced.map((other) => other.target)]);
  for (const name of await readdir(place.folder)) {
    if (known.has(name) || !(name.startsWith(`${resultColumn}=`) || name.endsWith(".parquet"))) continue;
    const there = await readManifest(join(place.folder, name));
    if (there === "nothing" || (there !== "foreign" && areOfOneJob(there.result, String(marks["result"])))) continue;
    throw taken(join(place.folder, name));
  }
}

async function requireWhole(folder: string, { files }: Manifest, sizeBytes: number): Promise<void> {
  let bytes = 0;
  for (const file of files) {
    const found = await stat(join(folder, file.path)).catch(unlessGone);
    if (found?.size !== file.sizeBytes)
      throw changed(folder, `${file.path} has ${found?.size ?? "no"} bytes where ${file.sizeBytes} were staged`);
    bytes += found.size;
  }
  if (bytes !== sizeBytes) throw changed(folder, `its files have ${bytes} bytes where ${sizeBytes} were staged`);
}

function changed(path: string, why: string): TerminalFailure {
  return new TerminalFailure({
    code: "STAGED_LOST",
    message: `the staged result ${basename(path)} is not whole: ${why}`,
    hint: "Somebody changed it; retry the job to write it again",
    data: { path },
  });
}

function taken(path: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_TARGET_TAKEN",
    message: `${path} is there already, and is not a result whose place this one may take`,
    hint: "Move it away, then retry the job",
    data: { path },
  });
}
