import { TerminalFailure } from "../../domain/failure.ts";
import type { OpenRequest } from "../sink.ts";

/**
 * Which outputs of an attempt go to which table. A row says its job and not its output, so where results are replaced one by one, a table
 * takes one output of a job; this is found while both are open, before any row is visible.
 */
export interface Shares {
  /** `table` is the same for all ways to write it, `shown` is for people. Throws TerminalFailure SINK_TABLE_SHARED. */
  claim(request: OpenRequest, table: string, shown: string): () => void;
}

export function createShares(scheme: string): Shares {
  const open = new Map<string, Set<OpenRequest>>();
  return {
    claim(request, table, shown) {
      const key = JSON.stringify([request.jobId, request.attempt, table]);
      const others = open.get(key) ?? new Set();
      const other = [...others].find(({ output, mode }) => output !== request.output && (mode === "replace" || request.mode === "replace"));
      if (other !== undefined)
        throw new TerminalFailure({
          code: "SINK_TABLE_SHARED",
          message: `the outputs ${other.output} and ${request.output} of one job go to one table, ${shown}, with mode replace: rows say their job and not their output`,
          hint: `Give each output a table of its own: casparian topic set PLUGIN OUTPUT ${scheme}://…`,
        });
      open.set(key, others.add(request));
      return () => {
        others.delete(request);
        if (others.size === 0) open.delete(key);
      };
    },
  };
}
