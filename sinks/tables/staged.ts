import { randomBytes } from "node:crypto";
import { TerminalFailure } from "../../domain/failure.ts";
import { lineageColumns } from "../../domain/lineage.ts";
import { resultOf } from "../result-name.ts";
import type { OpenRequest, StagedOutput } from "../sink.ts";
import { parseSinkUri } from "../uri.ts";
import { splitKeep } from "./keep.ts";
import type { TableName } from "./table-name.ts";

/** A result that is staged by itself, under a name of its own, and whose rows are to go into a table. */
export interface StagedTable {
  readonly name: string;
  readonly result: string;
  readonly table: TableName;
  /** Whether the rows that it replaces are kept. */
  readonly keeps: boolean;
}

/** Columns of what is noted with staged rows that they get as their lineage, in the order of `lineageColumns`. */
export const stagedLineage = lineageColumns.map((name) => name.slice("_cf_".length));

/** Two runs of one attempt never share one. */
export function newStagingName({ jobId, attempt }: OpenRequest): string {
  return `staged_${jobId}_${attempt}_${randomBytes(4).toString("hex")}`;
}

/** What `stagedOf` takes apart. */
export function describeStaged(request: OpenRequest, name: string, { schema, name: table }: TableName): StagedOutput["staged"] {
  const { keeps } = splitKeep(request.uri);
  return { name, result: resultOf(request), schema, table, ...(keeps ? { keep: "replaced" } : {}) };
}

/** The name under which an output was staged, and its table. Throws TerminalFailure STAGED_LOST for what another sink staged. */
export function stagedOf({ uri, staged, output }: StagedOutput): StagedTable {
  const { name, result, schema, table, keep } = staged;
  if (typeof name !== "string" || typeof result !== "string" || typeof schema !== "string" || typeof table !== "string")
    throw new TerminalFailure({
      code: "STAGED_LOST",
      message: `the staged result of ${output} was not staged by ${parseSinkUri(uri).scheme}://`,
      data: { staged },
    });
  return { name, result, table: { schema, name: table }, keeps: keep === "replaced" };
}

/** Removes, of what is staged for a table, that of attempts that are no longer at work, and returns the names. */
export async function sweepStaged(
  staged: readonly { readonly name: string; readonly jobId: string; readonly attempt: number }[],
  isAlive: (jobId: string, attempt: number) => Promise<boolean>,
  discard: (name: string) => Promise<void>,
): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const { name, jobId, attempt } of staged) {
    if (await isAlive(jobId, attempt)) continue;
    await discard(name);
    removed.push(name);
  }
  return removed;
}
