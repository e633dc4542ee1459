import { CreateBucketCommand, DeleteObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { failureOf } from "../support/command.ts";
import { createQueryFixture, type QueryFixture } from "../support/query-fixture.ts";
import { startS3Server, type S3Server } from "../support/s3-server.ts";
import { tablePlugin } from "../support/samples.ts";

const bucket = "casparian-query";
let server: S3Server;
let s3: S3Client;
let fixture: QueryFixture;
beforeAll(async () => {
  server = await startS3Server();
  s3 = new S3Client({ forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  fixture = await createQueryFixture();
});
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]();
  s3?.destroy();
  await server?.[Symbol.asyncDispose]();
});

test("objects of a bucket are fetched: what is current, and with --as-of what was then", async () => {
  await fixture.publish("bucket", "*.bucket", tablePlugin, { mode: "replace", uri: `s3://${bucket}/trades` });
  await fixture.produce("a.bucket", "id,name\n1,x\n");
  const before = await fixture.committedLast();
  await fixture.produce("a.bucket", "id,name\n2,\n3,y\n");
  await fixture.produce("b.bucket", "id,name\n4,z\n");
  await fixture.stage("b.bucket", "id,name\n5,z\n");
  const ids = async (...args: readonly string[]) =>
    (await fixture.rows<{ id: number }>("select id from bucket order by 1", ...args)).map(({ id }) => id);
  expect(await ids()).toEqual([2, 3, 4]);
  expect(await ids("--as-of", before)).toEqual([1]);
  expect(await fixture.rows("select name, typeof(id) as type from bucket where id = 2")).toEqual([{ name: null, type: "BIGINT" }]);
  expect(await fixture.rows("--tables")).toMatchObject([{ plugin: "bucket", rows: 3, readElsewhere: null, isFetched: true }]);
  const refused = await fixture.query("query", "from bucket", "--fetch-max", "1kB", "--json");
  expect(failureOf(refused)).toMatchObject({ code: "QUERY_FETCH_MAX" });
});

test("an object that is gone, and a server that doesn't answer, are told", async () => {
  await fixture.publish("lost", "*.lost", tablePlugin, { uri: `s3://${bucket}/lost` });
  const job = await fixture.produce("a.lost", "id\n1\n");
  expect(await fixture.rows("from lost")).toHaveLength(1);
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: "lost/" }));
  for (const { Key } of Contents!) await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  expect(failureOf(await fixture.query("query", "from lost", "--json"))).toMatchObject({
    code: "OUTPUT_MISSING",
    message: expect.stringContaining(`job ${job}`) as string,
  });
  const url = process.env["AWS_ENDPOINT_URL_S3"];
  process.env["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:1";
  const result = await fixture.query("query", "from lost", "--json");
  process.env["AWS_ENDPOINT_URL_S3"] = url;
  expect(failureOf(result)).toMatchObject({ code: "SINK_UNREACHABLE" });
});
