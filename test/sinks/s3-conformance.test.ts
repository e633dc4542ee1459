import { createInterface } from "node:readline";
import { CreateBucketCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { execa } from "execa";
import { afterAll, beforeAll } from "vitest";
import { startS3Server, type S3Server } from "../support/s3-server.ts";
import { testTools } from "../support/tools.ts";
import { describeModes } from "./conformance-modes.ts";
import { describeSink, type Found, type TargetKind } from "./conformance.ts";

/** Answers each line, a folder of the bucket, with what a dataset of it holds. */
const reader = `
import io, json, os, sys, urllib.parse, urllib.request
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq
from pyarrow.fs import S3FileSystem, FileSelector
endpoint = os.environ["AWS_ENDPOINT_URL_S3"].removeprefix("http://")
s3 = S3FileSystem(endpoint_override=endpoint, scheme="http", region="us-east-1", access_key="test", secret_key="test")
def get(file):
    with urllib.request.urlopen(f"http://{endpoint}/{urllib.parse.quote(file)}") as answer:
        return answer.read()
for line in sys.stdin:
    folder = line.rstrip("\\n")
    files = [f.path for f in s3.get_file_info(FileSelector(folder, allow_not_found=True)) if f.path.endswith(".parquet")]
    # Each object by one request: pyarrow's own asks for its size first, and between the two an object may be replaced.
    tables = [pq.read_table(io.BytesIO(get(file))) for file in files]
    table = pa.concat_tables(tables) if tables else None
    if table is None or table.num_rows == 0:
        found = {"rows": 0, "sum": 0, "jobs": []}
    else:
        jobs = sorted(str(job) for job in table["_cf_job_id"].unique().to_pylist())
        found = {"rows": table.num_rows, "sum": pc.sum(table["n"]).as_py(), "jobs": jobs}
    print(json.dumps(found), flush=True)
`;

const bucket = "casparian-test";
let server: S3Server;
beforeAll(async () => {
  server = await startS3Server();
  await client().send(new CreateBucketCommand({ Bucket: bucket }));
});
afterAll(() => server?.[Symbol.asyncDispose]());

function client(): S3Client {
  return new S3Client({ forcePathStyle: true });
}

let targets = 0;

async function openBucket(): Promise<TargetKind> {
  const s3 = client();
  const python = execa(testTools().environmentPython, ["-c", reader], { reject: false, stderr: "inherit" });
  const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const folderOf = (uri: string): string => uri.replace("s3://", "");
  return {
    baseDir: "/nowhere",
    newUri: () => `s3://${bucket}/outputs/target-${++targets}`,
    async read(uri) {
      python.stdin.write(`${folderOf(uri)}\n`);
      return JSON.parse((await answers.next()).value ?? "null") as Found;
    },
    async traces(uri) {
      const prefix = `${folderOf(uri).slice(bucket.length + 1)}/`;
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
      const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }));
      const names = Contents.map(({ Key }) => Key!.slice(prefix.length));
      const others = names.filter((name) => !name.startsWith("_casparian_replaced/") && (name.includes("/") || !name.endsWith(".parquet")));
      return [...others, ...Uploads.map(({ Key }) => `upload of ${Key}`)];
    },
    async close() {
      python.stdin.end();
      await python;
      s3.destroy();
    },
  };
}

describeSink("s3", openBucket);
describeModes("s3", openBucket);
