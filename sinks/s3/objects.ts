import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { isAbsent } from "./refusal.ts";

/** What an object says of the result that it is, in its metadata. */
export interface ObjectOwner {
  readonly staged: string;
  readonly result: string;
}

export interface FoundObject {
  readonly etag: string;
  readonly sizeBytes: number;
  /** Null for an object of others. */
  readonly owner: ObjectOwner | null;
}

export interface OpenObject extends Omit<FoundObject, "etag"> {
  readonly body: Readable;
}

export interface UploadedPart {
  readonly PartNumber: number;
  readonly ETag: string;
}

/** The operations on a bucket that the sink needs. Failures are the SDK's own. */
export function createObjects(client: S3Client, bucket: string) {
  const at = (key: string) => ({ Bucket: bucket, Key: key });

  return {
    /** Null where there is no such object. */
    async find(key: string): Promise<FoundObject | null> {
      try {
        const { ETag = "", ContentLength = 0, Metadata = {} } = await client.send(new HeadObjectCommand(at(key)));
        return { etag: ETag, sizeBytes: ContentLength, owner: ownerOf(Metadata) };
      } catch (error) {
        if (isAbsent(error)) return null;
        throw error;
      }
    },

    /** The object as it is now, its bytes as a stream that is to be read or destroyed; null where there is none. */
    async open(key: string, signal: AbortSignal): Promise<OpenObject | null> {
      try {
        const { ContentLength = 0, Metadata = {}, Body } = await client.send(new GetObjectCommand(at(key)), { abortSignal: signal });
        return { sizeBytes: ContentLength, owner: ownerOf(Metadata), body: Body as Readable };
      } catch (error) {
        if (isAbsent(error)) return null;
        throw error;
      }
    },

    async beginUpload(key: string, { staged, result }: ObjectOwner): Promise<string> {
      const metadata = { [stagedKey]: staged, [resultKey]: result };
      const { UploadId } = await client.send(
        new CreateMultipartUploadCommand({ ...at(key), ContentType: "application/vnd.apache.parquet", Metadata: metadata }),
      );
      return UploadId!;
    },

    /** The service compares the part with the checksum that the SDK sends. */
    async uploadPart(key: string, uploadId: string, number: number, body: Uint8Array): Promise<UploadedPart> {
      const { ETag } = await client.send(new UploadPartCommand({ ...at(key), UploadId: uploadId, PartNumber: number, Body: body }));
      return { PartNumber: number, ETag: ETag! };
    },

    /** The bytes of the parts that the service has of an upload; null where there is no such upload any more. */
    async uploadedBytes(key: string, uploadId: string): Promise<number | null> {
      let bytes = 0;
      try {
        // The SDK's own paginator goes on for ever with servers that name a next part after the last one.
        for (let after: string | undefined; ;) {
          const page = await client.send(new ListPartsCommand({ ...at(key), UploadId: uploadId, PartNumberMarker: after }));
          for (const { Size = 0 } of page.Parts ?? []) bytes += Size;
          if (page.IsTruncated !== true) return bytes;
          after = page.NextPartNumberMarker;
        }
      } catch (error) {
        if (isAbsent(error)) return null;
        throw error;
      }
    },

    /** Makes the object visible as a whole; false where there is no such upload any more. */
    async completeUpload(key: string, uploadId: string, parts: readonly UploadedPart[]): Promise<boolean> {
      return unlessAbsent(
        client.send(new CompleteMultipartUploadCommand({ ...at(key), UploadId: uploadId, MultipartUpload: { Parts: [...parts] } })),
      );
    },

    async abortUpload(key: string, uploadId: string): Promise<void> {
      await unlessAbsent(client.send(new AbortMultipartUploadCommand({ ...at(key), UploadId: uploadId })));
    },

    /** Copies an object so long as it is still the one that was found. */
    async copy(from: string, to: string, found: FoundObject): Promise<void> {
      const source = { CopySource: encodeURI(`${bucket}/${from}`), CopySourceIfMatch: found.etag };
      try {
        if (found.sizeBytes <= copyBytesMax) await client.send(new CopyObjectCommand({ ...at(to), ...source }));
        else await copyInParts(to, source, found);
      } catch (error) {
        if (!(error instanceof Error && error.name === "PreconditionFailed")) throw error;
      }
    },

    async remove(key: string): Promise<void> {
      await client.send(new DeleteObjectCommand(at(key)));
    },

    async write(key: string, text: string): Promise<void> {
      await client.send(new PutObjectCommand({ ...at(key), Body: text, ContentType: "application/json" }));
    },

    /** Null where there is no such object. */
    async read(key: string): Promise<string | null> {
      try {
        const { Body } = await client.send(new GetObjectCommand(at(key)));
        return (await Body?.transformToString()) ?? "";
      } catch (error) {
        if (isAbsent(error)) return null;
        throw error;
      }
    },

    /** The keys that begin so; with `isFolder` only those directly in the folder. */
    async *list(prefix: string, isFolder: boolean): AsyncGenerator<string> {
      const request = { Bucket: bucket, Prefix: prefix, ...(isFolder ? { Delimiter: "/" } : {}) };
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, request)) for (const { Key } of Contents) yield Key!;
    },
  };

  /** An object of more than 5 GB can't be copied at once. */
  async function copyInParts(to: string, source: { CopySource: string; CopySourceIfMatch: string }, { sizeBytes, owner }: FoundObject) {
    const metadata: Record<string, string> = owner === null ? {} : { [stagedKey]: owner.staged, [resultKey]: owner.result };
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...at(to), Metadata: metadata }));
    try {
      const parts: UploadedPart[] = [];
      for (let from = 0; from < sizeBytes; from += copyBytesMax) {
        const range = `bytes=${from}-${Math.min(from + copyBytesMax, sizeBytes) - 1}`;
        const number = parts.length + 1;
        const copied = await client.send(
          new UploadPartCopyCommand({ ...at(to), ...source, UploadId, PartNumber: number, CopySourceRange: range }),
        );
        parts.push({ PartNumber: number, ETag: copied.CopyPartResult!.ETag! });
      }
      await client.send(new CompleteMultipartUploadCommand({ ...at(to), UploadId, MultipartUpload: { Parts: parts } }));
    } catch (error) {
      await client.send(new AbortMultipartUploadCommand({ ...at(to), UploadId })).catch(() => {});
      throw error;
    }
  }
}

function ownerOf({ [stagedKey]: staged, [resultKey]: result }: Readonly<Record<string, string>>): ObjectOwner | null {
  return staged === undefined || result === undefined ? null : { staged, result };
}

export type S3Objects = ReturnType<typeof createObjects>;

const stagedKey = "casparian-staged";
const resultKey = "casparian-result";
const copyBytesMax = 5 * 1024 ** 3;

async function unlessAbsent(sent: Promise<unknown>): Promise<boolean> {
  try {
    await sent;
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
