import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { testTools } from "../support/tools.ts";
import { describeModes } from "./conformance-modes.ts";
import { describeSink, type Found, type TargetKind } from "./conformance.ts";

/**
 * Answers each line, a folder, with what a dataset of it holds. Where a result is swapped while it lists or reads, the folders and files
 * that it comes to next are gone. A reader is told of files; of folders he is not, and sees nothing of the result. It then looks again.
 */
const reader = `
import glob, json, os, sys
import pyarrow as pa, pyarrow.compute as pc, pyarrow.dataset as ds
hive = ds.partitioning(pa.schema([("cf_result", pa.string()), ("cf_attempt", pa.string()), ("day", pa.int32()), ("venue", pa.string())]), flavor="hive")
def attempts(folder):
    return sorted(glob.glob(f"{glob.escape(folder)}/cf_result=*/cf_attempt=*"))
def read(folder):
    while os.path.isdir(folder):
        before = attempts(folder)
        try:
            table = ds.dataset(folder, format="parquet", partitioning=hive).to_table()
        except FileNotFoundError:
            continue
        if table.num_rows > 0 or attempts(folder) == before:
            return table
for line in sys.stdin:
    table = read(line.rstrip("\\n"))
    if table is None or table.num_rows == 0:
        found = {"rows": 0, "sum": 0, "jobs": []}
    else:
        right = pc.equal(table["day"], pc.add(20454, pc.cast(pc.subtract(table["n"], pc.multiply(7, pc.divide(table["n"], 7))), pa.int32())))
        assert pc.all(right).as_py(), "a row lies in the folder of another day"
        jobs = sorted(str(job) for job in table["_cf_job_id"].unique().to_pylist())
        found = {"rows": table.num_rows, "sum": pc.sum(table["n"]).as_py(), "jobs": jobs}
    print(json.dumps(found), flush=True)
`;

async function openFolders(): Promise<TargetKind> {
  const baseDir = await mkdtemp(join(tmpdir(), "casparian-partition-"));
  const python = execa(testTools().environmentPython, ["-c", reader], { reject: false, stderr: "inherit" });
  const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const folderOf = (uri: string): string => join(baseDir, uri.replace("parquet://", "").replace(/\?.*/, ""));
  let targets = 0;
  return {
    baseDir,
    newUri: () => `parquet://outputs-${++targets}/target?partition=day,venue`,
    async read(uri) {
      python.stdin.write(`${folderOf(uri)}\n`);
      return JSON.parse((await answers.next()).value ?? "null") as Found;
    },
    async traces(uri) {
      const found = await readdir(dirname(folderOf(uri)), { recursive: true }).catch(() => []);
      const own =
        /^target(\/_casparian_partition\.json|\/cf_result=[^/]+(\/_casparian_(result\.json|empty)|(\/cf_attempt=[^/]+(\/day=\d+(\/venue=[^/]+(\/rows\.parquet)?)?)?)?))?$/;
      return found.filter((path) => !path.startsWith("_casparian_replaced") && !own.test(path));
    },
    async close() {
      python.stdin.end();
      await python;
      await rm(baseDir, { recursive: true });
    },
  };
}

describeSink("partitioned parquet", openFolders);
describeModes("partitioned parquet", openFolders);
