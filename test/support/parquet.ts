import { runPython } from "./python.ts";

/** A visible result as an independent reader finds it. */
export interface FoundResult {
  /** Below the output folder. */
  readonly path: string;
  readonly rows: number;
  /** Distinct values of the lineage columns in its rows, as text. */
  readonly sourceHashes: readonly string[];
  readonly jobIds: readonly string[];
  readonly versionIds: readonly string[];
}

const script = `
import json, sys
from pathlib import Path
import pyarrow.parquet as pq
out = []
root = Path(sys.argv[1])
for path in sorted(root.rglob("*.parquet")):
    t = pq.read_table(path)
    d = lambda c: [str(v) for v in t.column(c).unique().to_pylist()]
    out.append({"path": str(path.relative_to(root)), "rows": t.num_rows, "sourceHashes": d("_cf_source_hash"), "jobIds": d("_cf_job_id"), "versionIds": d("_cf_file_version_id")})
print(json.dumps(out))
`;

/** Reads every Parquet file below a folder with pyarrow. */
export async function readResults(folder: string): Promise<readonly FoundResult[]> {
  return JSON.parse(await runPython(script, [folder])) as FoundResult[];
}
