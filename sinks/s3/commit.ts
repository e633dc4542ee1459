import { TerminalFailure } from "../../domain/failure.ts";
import { areOfOneJob } from "../result-name.ts";
import { replacedFolder, replacedName, stagingFolder } from "../files/target.ts";
import { keyOf, type S3Folder } from "./address.ts";
import type { S3Objects, UploadedPart } from "./objects.ts";

/** What is staged: an upload that is not completed, and a note of it in the staging folder. */
export interface StagedUpload {
  readonly name: string;
  readonly target: string;
  readonly result: string;
  readonly uploadId: string;
  readonly sizeBytes: number;
  readonly parts: readonly UploadedPart[];
}

export interface UploadCommit extends StagedUpload {
  readonly folder: S3Folder;
  readonly replaced: readonly StagedUpload[];
  /** Whether nothing else may be left in the folder. */
  readonly isAlone: boolean;
}

/**
 * Makes a staged result visible: completing its upload puts the object in place as a whole, over the one whose place it takes. What each
 * crash leaves, and what the next call finds: before the completion the upload is there, and is completed; after it the object says in its
 * metadata that it is this very staging. Objects of others are never touched.
 *
 * The object whose key it takes is copied to `_casparian_replaced` before. Replaced results under other keys, from before the topic's mode
 * was changed, are moved there afterwards: for a moment readers find them beside the new one.
 */
export async function commitUpload(objects: S3Objects, upload: UploadCommit): Promise<void> {
  const { folder, name, target, result, replaced } = upload;
  const key = keyOf(folder, target);
  const before = await objects.find(key);
  if (before?.owner?.staged !== name) {
    const yielding = [result, ...replaced.map((other) => other.result)];
    if (before !== null && !yielding.includes(before.owner?.result ?? "")) throw taken(folder, key);
    if (upload.isAlone) await refuseForeign(objects, upload);
    for (const other of replaced) {
      if (other.target === target && before?.owner?.staged === other.name) await objects.copy(key, keptKey(folder, other), before);
    }
    const completed = (await isWhole(objects, key, upload)) && (await objects.completeUpload(key, upload.uploadId, upload.parts));
    if (!completed && (await objects.find(key))?.owner?.staged !== name) throw lost(folder, key);
  }
  for (const other of replaced) if (other.target !== target) await moveReplaced(objects, folder, other);
  await objects.remove(noteKey(folder, name));
}

/** Whether the service has all that was sent. */
async function isWhole(objects: S3Objects, key: string, { uploadId, sizeBytes }: StagedUpload): Promise<boolean> {
  const bytes = await objects.uploadedBytes(key, uploadId);
  if (bytes === null || bytes === sizeBytes) return bytes !== null;
  throw new TerminalFailure({
    code: "STAGED_LOST",
    message: `the upload for ${key} has ${bytes} bytes where ${sizeBytes} were staged`,
    hint: "Retry the job to write it again",
  });
}

/** Removes what is staged; a completed upload stays. */
export async function discardUpload(
  objects: S3Objects,
  folder: S3Folder,
  { name, target, uploadId }: Pick<StagedUpload, "name" | "target" | "uploadId">,
): Promise<void> {
  await objects.abortUpload(keyOf(folder, target), uploadId);
  await objects.remove(noteKey(folder, name));
}

export async function isCommitted(objects: S3Objects, folder: S3Folder, { name, target }: StagedUpload): Promise<boolean> {
  return (await objects.find(keyOf(folder, target)))?.owner?.staged === name;
}

/** Where an upload that has begun is noted, because the service's own list of uploads doesn't say whose they are. */
export function noteKey(folder: S3Folder, name: string): string {
  return keyOf(folder, stagingFolder, name);
}

function keptKey(folder: S3Folder, { name }: StagedUpload): string {
  return keyOf(folder, replacedFolder, replacedName(name));
}

async function moveReplaced(objects: S3Objects, folder: S3Folder, other: StagedUpload): Promise<void> {
  const key = keyOf(folder, other.target);
  const found = await objects.find(key);
  if (found?.owner?.staged !== other.name) return;
  await objects.copy(key, keptKey(folder, other), found);
  await objects.remove(key);
}

/** Only the results that it replaces and other outputs of its job may lie beside a result that is to be alone. */
async function refuseForeign(objects: S3Objects, { folder, result, replaced }: UploadCommit): Promise<void> {
  const known = new Set(replaced.map((other) => keyOf(folder, other.target)));
  for await (const key of objects.list(`${keyOf(folder)}/`.replace(/^\/$/, ""), true)) {
    if (!key.endsWith(".parquet") || known.has(key)) continue;
    const found = await objects.find(key);
    if (found === null || (found.owner !== null && areOfOneJob(found.owner.result, result))) continue;
    throw taken(folder, key);
  }
}

function taken({ bucket }: S3Folder, key: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_TARGET_TAKEN",
    message: `s3://${bucket}/${key} is there already, and is not a result whose place this one may take`,
    hint: "Move that object away, then retry the job",
    data: { key },
  });
}

function lost({ bucket }: S3Folder, key: string): TerminalFailure {
  return new TerminalFailure({
    code: "STAGED_LOST",
    message: `the upload that was staged for s3://${bucket}/${key} is no longer there`,
    hint: "Somebody aborted it, or the bucket's lifecycle did; retry the job to write it again",
    data: { key },
  });
}
