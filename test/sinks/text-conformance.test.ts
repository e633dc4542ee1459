import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { testTools } from "../support/tools.ts";
import { describeModes } from "./conformance-modes.ts";
import { describeSink, type Found, type TargetKind } from "./conformance.ts";

/** Answers each line, a folder, with what pyarrow finds in its CSV files, or Python in its lines of JSON. */
const reader = `
import glob, json, sys
import pyarrow as pa, pyarrow.csv
for line in sys.stdin:
    suffix, folder = line.rstrip("\\n").split(" ", 1)
    rows, total, jobs = 0, 0, set()
    for path in glob.glob(f"{folder}/*.{suffix}"):
        if suffix == "csv":
            table = pa.csv.read_csv(path)
            numbers, of = table["n"].to_pylist(), table["_cf_job_id"].unique().to_pylist()
        else:
            found = [json.loads(text) for text in open(path, encoding="utf-8")]
            numbers, of = [row["n"] for row in found], {row["_cf_job_id"] for row in found}
        rows, total = rows + len(numbers), total + sum(numbers)
        jobs.update(str(job) for job in of)
    print(json.dumps({"rows": rows, "sum": total, "jobs": sorted(jobs)}), flush=True)
`;

for (const scheme of ["csv", "jsonl"] as const) {
  const openFolders = async (): Promise<TargetKind> => {
    const baseDir = await mkdtemp(join(tmpdir(), `casparian-${scheme}-`));
    const python = execa(testTools().environmentPython, ["-c", reader], { reject: false, stderr: "inherit" });
    const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
    const folderOf = (uri: string): string => join(baseDir, uri.replace(`${scheme}://`, ""));
    let targets = 0;
    return {
      baseDir,
      newUri: () => `${scheme}://outputs/target-${++targets}`,
      async read(uri) {
        python.stdin.write(`${scheme} ${folderOf(uri)}\n`);
        return JSON.parse((await answers.next()).value ?? "null") as Found;
      },
      async traces(uri) {
        const found = await readdir(folderOf(uri), { recursive: true }).catch(() => []);
        return found.filter((path) => !path.startsWith("_casparian_replaced") && (path.includes("/") || !path.endsWith(`.${scheme}`)));
      },
      async close() {
        python.stdin.end();
        await python;
        await rm(baseDir, { recursive: true });
      },
    };
  };
  describeSink(scheme, openFolders);
  describeModes(scheme, openFolders);
}
