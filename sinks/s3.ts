import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { S3Client } from "@aws-sdk/client-s3";
import { TerminalFailure } from "../domain/failure.ts";
import { folderOf, keyOf, type S3Folder } from "./s3/address.ts";
import { openClient } from "./s3/client.ts";
import { commitUpload, discardUpload, isCommitted, noteKey, type StagedUpload } from "./s3/commit.ts";
import { createObjects, type S3Objects, type UploadedPart } from "./s3/objects.ts";
import { onBucket } from "./s3/refusal.ts";
import { uploadParts } from "./s3/upload.ts";
import { ownerOfStaged, stagingFolder } from "./files/target.ts";
import type { OpenRequest, Sink, SinkWriter, StagedOutput } from "./sink.ts";

/**
 * Writes each result as one Parquet object into the folder that an `s3://` URI names. The file grows on the local disk, is sent as the
 * parts of a multipart upload when it is staged, and becomes visible when that upload is completed. Region, credentials and endpoint are
 * those of the AWS environment.
 */
export function createS3Sink({ parquet }: { readonly parquet: Sink }): Sink & { close(): Promise<void> } {
  let opened: Promise<{ readonly client: S3Client; readonly spool: string }> | undefined;
  const open = () => (opened ??= openAll());

  const inFolder = async <T>(uri: string, doing: string, work: (objects: S3Objects, folder: S3Folder) => Promise<T>): Promise<T> => {
    const folder = folderOf(uri);
    const { client } = await open();
    return onBucket(`s3://${folder.bucket}/${folder.prefix} ${doing}`, () => work(createObjects(client, folder.bucket), folder));
  };

  return {
    async open(request) {
      const { spool } = await open();
      const { prefix } = folderOf(request.uri);
      // The folder's name decides whether the file's has the output's in it.
      const local = join(await mkdtemp(join(spool, "output-")), prefix.slice(prefix.lastIndexOf("/") + 1).replaceAll("?", "_") || "bucket");
      const writer = await parquet.open({ ...request, uri: `parquet://${local}` });
      return wrap(request, local, writer);
    },
    commit: (output, replaced = []) =>
      inFolder(output.uri, "can't be committed to", (objects, folder) =>
        commitUpload(objects, {
          ...stagedOf(output),
          folder,
          replaced: replaced.map(stagedOf),
          isAlone: output.mode === "overwrite",
        }),
      ),
    isCommitted: (output) => inFolder(output.uri, "can't be read", (objects, folder) => isCommitted(objects, folder, stagedOf(output))),
    discard: (output) => inFolder(output.uri, "can't be cleaned", (objects, folder) => discardUpload(objects, folder, stagedOf(output))),
    sweep: (uri, isAlive) => inFolder(uri, "can't be swept", (objects, folder) => sweep(objects, folder, isAlive)),
    async close() {
      if (opened === undefined) return;
      const { client, spool } = await opened;
      client.destroy();
      await rm(spool, { recursive: true, force: true });
    },
  };

  function wrap(request: OpenRequest, local: string, writer: SinkWriter): SinkWriter {
    let staged: StagedOutput | undefined;
    const clean = () => rm(join(local, ".."), { recursive: true, force: true });
    const abort = async (): Promise<void> => {
      await writer.abort();
      await clean();
      if (staged === undefined) return;
      const { uri } = request;
      const upload = stagedOf(staged);
      await inFolder(uri, "can't be cleaned", (objects, folder) => discardUpload(objects, folder, upload));
    };
    return {
      write: (message) => writer.write(message),
      async stage() {
        const file = await writer.stage();
        try {
          staged = await inFolder(request.uri, "can't be written", (objects, folder) => send(objects, folder, file, local));
          return staged;
        } finally {
          await clean();
        }
      },
      abort,
    };

    async function send(objects: S3Objects, folder: S3Folder, file: StagedOutput, spooled: string): Promise<StagedOutput> {
      const { name, target, result } = file.staged as unknown as StagedUpload;
      const key = keyOf(folder, target);
      const uploadId = await objects.beginUpload(key, { staged: name, result });
      try {
        await objects.write(noteKey(folder, name), JSON.stringify({ target, uploadId }));
        const path = join(spooled, stagingFolder, name);
        const parts = await uploadParts(objects, { key, uploadId, path, sizeBytes: file.sizeBytes });
        return {
          ...file,
          uri: request.uri,
          staged: { name, target, result, uploadId, parts: JSON.stringify(parts.map((part) => part.ETag)) },
          target: `s3://${folder.bucket}/${key}`,
        };
      } catch (error) {
        await discardUpload(objects, folder, { name, target, uploadId }).catch(() => {});
        throw error;
      }
    }
  }
}

async function openAll() {
  return { client: await openClient(), spool: await mkdtemp(join(tmpdir(), "casparian-s3-")) };
}

async function sweep(
  objects: S3Objects,
  folder: S3Folder,
  isAlive: (jobId: string, attempt: number) => Promise<boolean>,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for await (const key of objects.list(noteKey(folder, ""), false)) {
    const name = key.slice(key.lastIndexOf("/") + 1);
    const owner = ownerOfStaged(name);
    if (owner === undefined || (await isAlive(owner.jobId, owner.attempt))) continue;
    const note = await objects.read(key);
    if (note === null) continue;
    const { target, uploadId } = JSON.parse(note) as { readonly target: string; readonly uploadId: string };
    await discardUpload(objects, folder, { name, target, uploadId });
    removed.push(name);
  }
  return removed;
}

function stagedOf({ staged, sizeBytes, output }: StagedOutput): StagedUpload {
  const { name, target, result, uploadId, parts } = staged;
  if ([name, target, result, uploadId, parts].every((value) => typeof value === "string")) {
    const etags = JSON.parse(parts as string) as readonly string[];
    const uploaded = etags.map((ETag, index): UploadedPart => ({ PartNumber: index + 1, ETag }));
    return { name, target, result, uploadId, sizeBytes, parts: uploaded } as StagedUpload;
  }
  throw new TerminalFailure({ code: "STAGED_LOST", message: `the staged result of ${output} was not staged by s3://`, data: { staged } });
}
