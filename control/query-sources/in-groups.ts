import { columnsOf, type ResultColumns, type ResultRow } from "../../db/result.ts";
import type { Queryable } from "../../db/pool.ts";

/** Results of one output with the same columns. */
export interface ResultGroup<T> {
  readonly plugin: string;
  readonly output: string;
  /** In the order of the rows; the lineage columns are the last. */
  readonly columns: ResultColumns;
  readonly members: readonly [T, ...T[]];
}

/** Puts results together that can be read alike; `resultOf` says which one a member stands for. */
export async function inGroups<T>(
  db: Queryable,
  members: readonly T[],
  resultOf: (member: T) => Pick<ResultRow, "plugin" | "output" | "shape" | "jobId">,
): Promise<readonly ResultGroup<T>[]> {
  const keyOf = (member: T): string => {
    const { plugin, output, shape } = resultOf(member);
    return JSON.stringify([plugin, output, shape]);
  };
  const groups = [...Map.groupBy(members, keyOf).values()] as unknown as readonly (readonly [T, ...T[]])[];
  const examples = groups.map((group) => resultOf(group[0]));
  const found = new Map((await columnsOf(db, examples)).map((row) => [JSON.stringify([row.jobId, row.output]), row.columns]));
  return groups.map((group, at) => {
    const { plugin, output, jobId } = examples[at]!;
    return { plugin, output, members: group, columns: found.get(JSON.stringify([jobId, output]))! };
  });
}
