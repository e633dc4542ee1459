import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { testTools } from "../support/tools.ts";
import { describeModes } from "./conformance-modes.ts";
import { describeSink, type Found, type TargetKind } from "./conformance.ts";

/** Answers each line, a folder, with what a dataset of it holds. */
const reader = `
import json, os, sys
import pyarrow.compute as pc, pyarrow.dataset as ds
for line in sys.stdin:
    folder = line.rstrip("\\n")
    table = ds.dataset(folder, format="parquet").to_table() if os.path.isdir(folder) else None
    if table is None or table.num_rows == 0:
        found = {"rows": 0, "sum": 0, "jobs": []}
    else:
        jobs = sorted(str(job) for job in table["_cf_job_id"].unique().to_pylist())
        found = {"rows": table.num_rows, "sum": pc.sum(table["n"]).as_py(), "jobs": jobs}
    print(json.dumps(found), flush=True)
`;

async function openFolders(): Promise<TargetKind> {
  const baseDir = await mkdtemp(join(tmpdir(), "casparian-parquet-"));
  const python = execa(testTools().environmentPython, ["-c", reader], { reject: false, stderr: "inherit" });
  const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const folderOf = (uri: string): string => join(baseDir, uri.replace("parquet://", ""));
  let targets = 0;
  return {
    baseDir,
    newUri: () => `parquet://outputs/target-${++targets}`,
    async read(uri) {
      python.stdin.write(`${folderOf(uri)}\n`);
      return JSON.parse((await answers.next()).value ?? "null") as Found;
    },
    async traces(uri) {
      const found = await readdir(folderOf(uri), { recursive: true }).catch(() => []);
      return found.filter((path) => !path.startsWith("_casparian_replaced") && (path.includes("/") || !path.endsWith(".parquet")));
    },
    async close() {
      python.stdin.end();
      await python;
      await rm(baseDir, { recursive: true });
    },
  };
}

describeSink("parquet", openFolders);
describeModes("parquet", openFolders);
