import { TerminalFailure } from "../../domain/failure.ts";
import { notPartitioned, parseSinkUri } from "../uri.ts";

/** Where an `s3://bucket/prefix` URI leads. */
export interface S3Folder {
  readonly bucket: string;
  /** Without a slash at either end; empty for the bucket itself. */
  readonly prefix: string;
}

/** Throws TerminalFailure SINK_URI. */
export function folderOf(uri: string): S3Folder {
  const { rest } = parseSinkUri(uri);
  if (/\?partition=/.test(rest))
    throw notPartitioned(uri, "objects of S3 can't become visible several at once, and a result of many partitions is many objects");
  const [, bucket, path = ""] = /^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s.exec(rest) ?? [];
  if (bucket === undefined)
    throw new TerminalFailure({
      code: "SINK_URI",
      message: `"${uri}" does not name a bucket`,
      hint: "Write it like s3://my-bucket/trades; the region and the credentials are those of the AWS environment (AWS_REGION, AWS_PROFILE, …)",
    });
  return { bucket, prefix: path.split("/").filter(Boolean).join("/") };
}

/** The key of a name in a folder. */
export function keyOf({ prefix }: S3Folder, ...names: readonly string[]): string {
  return [prefix, ...names].filter(Boolean).join("/");
}
