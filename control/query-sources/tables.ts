import type { ResultRow } from "../../db/result.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { safeUrl } from "../../domain/safe-url.ts";
import type { Export, TableResults } from "../../sinks/tables/exported.ts";
import { parseSinkUri } from "../../sinks/uri.ts";

/** Results by output and table. */
export function byTable(results: readonly ResultRow[]): readonly (readonly ResultRow[])[] {
  return [...Map.groupBy(results, ({ plugin, output, uri }) => JSON.stringify([plugin, output, uri])).values()];
}

/**
 * What was copied out of a table: exactly the rows that the record says were written. Throws TerminalFailure OUTPUT_MISSING, OUTPUT_REPLACED,
 * OUTPUT_SHARED and OUTPUT_CHANGED. `reader` is the program in which a person looks at the table.
 */
export function checked<Copied>(found: Export<Copied>, results: readonly ResultRow[], reader: string): readonly Copied[] {
  const { plugin, output, uri } = results[0]!;
  const place = `${safeUrl(uri)}, with the rows of ${plugin}.${output}`;
  if ("missing" in found) {
    const missing = new Set(found.missing);
    const replaced = results.filter(({ jobId, replacedAt }) => replacedAt !== null && missing.has(jobId));
    if (replaced.length > 0) throw replacedSince(replaced);
    throw new TerminalFailure({
      code: "OUTPUT_MISSING",
      message: `${place}, has none of job ${found.missing.slice(0, 3).join(", ")}${found.missing.length > 3 ? `, and of ${found.missing.length - 3} more` : ""}`,
      hint: "Run the query again, for a newer result may just be taking their place; otherwise somebody removed them, or the address leads to another database",
      data: { jobs: found.missing.slice(0, 100) },
    });
  }
  if ("lacks" in found)
    throw new TerminalFailure({
      code: "OUTPUT_CHANGED",
      message: `${place}, has no column "${found.lacks}" any more`,
      hint: `Somebody changed the table: put the column back, or read the table with ${reader}`,
    });
  if ("shared" in found)
    throw new TerminalFailure({
      code: "OUTPUT_SHARED",
      message: `${place}, holds rows of several outputs of job ${found.shared}: a row says its job and not its output`,
      hint: `Read the table with ${reader}; or give each output a table of its own: casparian topic set PLUGIN OUTPUT ${parseSinkUri(uri).scheme}://…`,
    });
  const written = results.reduce((sum, { rows }) => sum + rows, 0);
  if (found.rows === written) return found.copied;
  throw new TerminalFailure({
    code: "OUTPUT_CHANGED",
    message: `${place}, has ${found.rows} of the ${results.length} current jobs where ${written} were written`,
    hint: `Somebody deleted or inserted rows of these jobs; ${reader} shows what is there: select _cf_job_id, count(*) … group by 1`,
  });
}

/** Rows that were replaced are deleted unless they are kept, so a table can only tell of times since when nothing was. */
function replacedSince(replaced: readonly ResultRow[]): TerminalFailure {
  const { plugin, output, uri } = replaced[0]!;
  const last = new Date(Math.max(...replaced.map(({ replacedAt }) => replacedAt!.getTime())) + 1);
  return new TerminalFailure({
    code: "OUTPUT_REPLACED",
    message: `${replaced.length} of the results that ${plugin}.${output} had then have been replaced since, and ${safeUrl(uri)} has not kept their rows`,
    hint:
      `Ask for a time since the last of them went: --as-of ${last.toISOString()}. With keep=replaced among the parameters of its topic's address, ` +
      "what is replaced from then on is kept; outputs in Parquet, CSV, JSON Lines and S3 keep it always",
  });
}

export function stagedNames(results: readonly ResultRow[]): TableResults {
  return results.map(({ jobId, staged }) => ({ jobId, name: String(staged["name"]) }));
}
