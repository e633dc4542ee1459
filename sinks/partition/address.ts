import { TerminalFailure } from "../../domain/failure.ts";
import { lineageColumns } from "../../domain/lineage.ts";
import { decodeName, parseSinkUri } from "../uri.ts";

/** Where a `parquet://folder?partition=a,b` URI leads, and by which columns its rows are spread over folders; none without the parameter. */
export interface ParquetAddress {
  /** As it was written. */
  readonly folder: string;
  readonly partition: readonly string[];
}

/** Each is a level of folders, and the folders of a result are the product of their values. */
const columnsMax = 4;

/** The outermost level of a partitioned folder: one folder for each result, so that one rename makes all of it visible. */
export const resultColumn = "cf_result";

/**
 * The level below, of which a result has one folder that no other result has: where two results swap places, a reader who walks from folder to
 * folder, or has a list of files, finds the next step of his way gone, and never one result's folders with another's files.
 */
export const attemptColumn = "cf_attempt";

/** The levels of folders that are the sink's own. */
export const ownLevels: readonly string[] = [resultColumn, attemptColumn];

/** Throws TerminalFailure SINK_URI. */
export function parquetAddress(uri: string): ParquetAddress {
  const { rest } = parseSinkUri(uri);
  const at = rest.indexOf("?");
  if (at < 0) return { folder: rest, partition: [] };
  const folder = rest.slice(0, at);
  if (folder === "") throw misunderstood(uri, "it names no folder");
  let partition: readonly string[] | undefined;
  for (const parameter of rest.slice(at + 1).split("&")) {
    const equals = parameter.indexOf("=");
    const name = equals < 0 ? parameter : parameter.slice(0, equals);
    if (name !== "partition" || equals < 0) throw misunderstood(uri, `"${name}" is no parameter that it could have`);
    if (partition !== undefined) throw misunderstood(uri, "it says twice by what to partition");
    partition = parameter
      .slice(equals + 1)
      .split(",")
      .map((column) => decodeName(column, (why) => misunderstood(uri, why)));
  }
  checkColumns(uri, partition!);
  return { folder, partition: partition! };
}

/** The same in one spelling, so that two ways to write one target are one target on record. */
export function parquetUri(uri: string): string {
  const { folder, partition } = parquetAddress(uri);
  if (partition.length === 0) return uri;
  const { scheme } = parseSinkUri(uri);
  return `${scheme}://${folder}?partition=${partition.map((column) => column.replaceAll(" ", "%20")).join(",")}`;
}

/** The result that a file belongs to, by its path; another path as it is. */
export function resultOfFile(path: string): string {
  return new RegExp(`^(.*/${resultColumn}=[^/]+)/`, "s").exec(path)?.[1] ?? path;
}

function checkColumns(uri: string, columns: readonly string[]): void {
  if (columns.length > columnsMax) throw misunderstood(uri, `it names ${columns.length} columns, and ${columnsMax} are the most`);
  const seen = new Set<string>();
  for (const column of columns) {
    // pyarrow decodes what is percent-encoded in a column's name and DuckDB doesn't; all pass over folders that begin with a dot or underscore.
    if (!/^[\p{L}\p{N}][\p{L}\p{N}_ .-]*$/u.test(column))
      throw misunderstood(
        uri,
        `a folder can't be named after the column "${column}": it may have letters, digits, spaces, dots, dashes and underscores`,
      );
    const folded = column.toLowerCase();
    if (lineageColumns.some((reserved) => reserved === folded) || ownLevels.includes(folded))
      throw misunderstood(uri, `"${column}" is no column of the plugin's`);
    if (seen.has(folded)) throw misunderstood(uri, `it names the column "${column}" twice`);
    seen.add(folded);
  }
}

function misunderstood(uri: string, why: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_URI",
    message: `${uri} is not the address of a folder of Parquet files: ${why}`,
    hint: "Write it like parquet://output/trades, or parquet://output/trades?partition=trade_date,venue; a folder's name can't have a ? in it",
  });
}
