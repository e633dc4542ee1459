import type { Queryable } from "../../db/pool.ts";
import type { ResultColumns } from "../../db/result.ts";
import { parquetRows } from "../../query/parquet-files.ts";
import { partitionedRows } from "../../query/partitioned-files.ts";
import { csvRows, jsonLinesRows, textColumn } from "../../query/text-files.ts";
import type { FileScheme } from "../../sinks/files/locate.ts";
import { inGroups, type ResultGroup } from "./in-groups.ts";
import { locateResults, requireUnchanged, type FoundResult } from "./locate-results.ts";
import type { OpenResults, ViewPart } from "./source.ts";

/** Reads the files of a folder where they are. */
export function openFiles(db: Queryable, scheme: FileScheme): OpenResults {
  return async (results, { home, signal }) => {
    const found = await locateResults(scheme, results, home, signal);
    const groups = await inGroups(db, found, ({ result, partition, isEmpty }) => ({
      ...result,
      shape: JSON.stringify([result.shape, partition, isEmpty]),
    }));
    return { parts: groups.map((group) => partOf(scheme, group)), requireUnchanged: () => requireUnchanged(found) };
  };
}

/** Files of one form, wherever they come from. */
export function partOf(scheme: FileScheme, { plugin, output, columns, members }: ResultGroup<Omit<FoundResult, "identity">>): ViewPart {
  const sizeMax = members.reduce((max, { result }) => Math.max(max, result.sizeBytes), 0);
  return {
    plugin,
    output,
    paths: members.flatMap(({ files }) => files),
    rows: rowsOf(scheme, { columns, ...members[0] }, sizeMax),
    results: members.length,
    columns: columns.map(({ name, type }) => ({ name, isNull: type === "null" })),
    example: `job ${members[0].result.jobId}`,
  };
}

function rowsOf(
  scheme: FileScheme,
  { columns, partition, isEmpty }: Pick<FoundResult, "partition" | "isEmpty"> & { readonly columns: ResultColumns },
  fileBytesMax: number,
): ViewPart["rows"] {
  if (scheme === "parquet" && partition.length > 0) return (paths) => partitionedRows(paths, columns, { partition, isEmpty });
  if (scheme === "parquet") return (paths) => parquetRows(paths, columns);
  const read = scheme === "csv" ? csvRows : jsonLinesRows;
  return (paths) => read(paths, columns.map(textColumn), fileBytesMax);
}
