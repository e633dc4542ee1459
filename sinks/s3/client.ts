import type { S3Client } from "@aws-sdk/client-s3";

/** A client of the AWS environment. Loaded when first needed: the SDK takes a fifth of a second. */
export async function openClient(): Promise<S3Client> {
  const { S3Client: Client } = await import("@aws-sdk/client-s3");
  const endpoint = process.env["AWS_ENDPOINT_URL_S3"] ?? process.env["AWS_ENDPOINT_URL"];
  // Servers other than Amazon's seldom have a host name for each bucket.
  return new Client({ forcePathStyle: endpoint !== undefined });
}
