import { CreateBucketCommand, GetObjectCommand, ListMultipartUploadsCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createSinks, type Sinks } from "../../sinks/registry.ts";
import { requireSink } from "../../sinks/uri.ts";
import { startS3Server, type S3Server } from "../support/s3-server.ts";
import { messagesOf, numbers, requestFor } from "./arrow.ts";
import { stageIn } from "./conformance.ts";

const bucket = "casparian-test";
let server: S3Server;
let client: S3Client;
let sinks: Sinks;
beforeAll(async () => {
  server = await startS3Server();
  client = new S3Client({ forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  sinks = createSinks({ baseDir: "/nowhere" });
});
afterAll(async () => {
  await sinks?.close();
  client?.destroy();
  await server?.[Symbol.asyncDispose]();
});

/** So many numbers that are hard to pack: some 8 bytes each in Parquet, too. */
function noise(rows: number): Uint8Array {
  const stream = numbers(rows, 8);
  const { messages } = messagesOf(stream);
  for (const { bytes } of messages) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const body = bytes.length - (rows / 8) * 8;
    for (let at = body, seed = 1n; at < bytes.length; at += 8) {
      seed = BigInt.asUintN(64, seed * 6364136223846793005n + 1442695040888963407n);
      view.setBigUint64(at, seed, true);
    }
  }
  return stream;
}

test("a result of several parts is one object, with its marks in its metadata, and as large as was staged", async () => {
  const uri = `s3://${bucket}/large/out`;
  const sink = sinks.forUri(uri);
  const staged = await stageIn(sink, uri, noise(5_000_000));
  expect(staged.sizeBytes).toBeGreaterThan(2 * 16 * 1024 ** 2);
  expect(JSON.parse(String(staged.staged["parts"]))).toHaveLength(Math.ceil(staged.sizeBytes / (16 * 1024 ** 2)));
  expect(staged.target).toBe(`s3://${bucket}/large/out/trades.v12.aaaaaaaa.bbbbbbbb.parquet`);
  await sink.commit(staged);
  const object = await client.send(new GetObjectCommand({ Bucket: bucket, Key: staged.target.slice(`s3://${bucket}/`.length) }));
  expect(object.ContentLength).toBe(staged.sizeBytes);
  expect(object.Metadata).toEqual({ "casparian-staged": staged.staged["name"], "casparian-result": staged.staged["result"] });
  const bytes = await object.Body!.transformToByteArray();
  expect(Buffer.from(bytes.subarray(0, 4)).toString() + Buffer.from(bytes.subarray(-4)).toString()).toBe("PAR1PAR1");
});

test("an object of others is never touched, and an upload that somebody aborted is said", async () => {
  const uri = `s3://${bucket}/taken/out`;
  const sink = sinks.forUri(uri);
  const staged = await stageIn(sink, uri, numbers(3));
  const Key = staged.target.slice(`s3://${bucket}/`.length);
  await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: "theirs" }));
  await expect(sink.commit(staged)).rejects.toMatchObject({ code: "SINK_TARGET_TAKEN" });
  expect(await (await client.send(new GetObjectCommand({ Bucket: bucket, Key }))).Body!.transformToString()).toBe("theirs");
  const alone = await stageIn(sink, uri, numbers(3), { mode: "overwrite" });
  await expect(sink.commit(alone)).rejects.toMatchObject({ code: "SINK_TARGET_TAKEN" });
  await sink.discard(alone);

  const lost = await stageIn(sink, uri, numbers(3), { output: "lost" });
  await sink.discard(lost);
  await expect(sink.commit(lost)).rejects.toMatchObject({ code: "STAGED_LOST" });
});

test("a bucket that isn't there is refused in the service's words, and leaves nothing", async () => {
  const uri = "s3://no-such-bucket/out";
  const failure = stageIn(sinks.forUri(uri), uri, numbers(3));
  await expect(failure).rejects.toMatchObject({ code: "SINK_REFUSED", message: expect.stringContaining("NoSuchBucket") as string });
  await expect(failure).rejects.toMatchObject({ hint: expect.stringContaining("Create the bucket") as string });
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: "out" }));
  expect(Uploads).toEqual([]);
});

test("a service that doesn't answer is tried again later", async () => {
  const uri = `s3://${bucket}/unreachable`;
  const present = process.env["AWS_ENDPOINT_URL_S3"];
  process.env["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:9";
  const others = createSinks({ baseDir: "/nowhere" });
  try {
    await expect(stageIn(others.forUri(uri), uri, numbers(3))).rejects.toMatchObject({
      name: "TransientFailure",
      code: "SINK_UNREACHABLE",
    });
  } finally {
    process.env["AWS_ENDPOINT_URL_S3"] = present;
    await others.close();
  }
});

test.each(["s3://", "s3://No-Such/x", "s3://a/x", "s3:///x"])("%s is no address", async (uri) => {
  const open = async () => sinks.forUri(requireSink(uri) && uri).open(requestFor(messagesOf(numbers(0)).schema, { uri }));
  await expect(open()).rejects.toMatchObject({ code: "SINK_URI", hint: expect.any(String) as string });
});
