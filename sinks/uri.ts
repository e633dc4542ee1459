import { TerminalFailure } from "../domain/failure.ts";
import { safeUrl } from "../domain/safe-url.ts";

export interface SinkUri {
  /** Lower-case: `parquet`. */
  readonly scheme: string;
  /** All that follows `://`, as it was written: nothing is decoded, so a folder's name may hold any character. */
  readonly rest: string;
}

/** Takes `scheme://rest` apart. Throws TerminalFailure SINK_URI. */
export function parseSinkUri(uri: string): SinkUri {
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.+)$/su.exec(uri);
  const [, scheme, rest] = match ?? [];
  if (scheme === undefined || rest === undefined || rest.includes("\0"))
    throw new TerminalFailure({
      code: "SINK_URI",
      message: `"${uri}" is not a sink URI`,
      hint: "Write it like parquet://output/trades (a folder under the working folder) or parquet:///data/trades",
    });
  return { scheme: scheme.toLowerCase(), rest };
}

/** A name as it stands in a URI, decoded. Throws what `refuse` makes of the reason where it can't be. */
export function decodeName(written: string, refuse: (why: string) => Error): string {
  try {
    return decodeURIComponent(written);
  } catch {
    throw refuse(`"${written}" is not percent-encoded`);
  }
}

/** Why a URI that asks for partitions is refused. */
export function notPartitioned(uri: string, why: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_URI",
    message: `${uri} can't be partitioned: ${why}`,
    hint: "Partitions are for folders of Parquet files: parquet://output/trades?partition=trade_date",
  });
}

/** The schemes that have a sink. */
export const sinkSchemes = ["parquet", "s3", "csv", "jsonl", "postgres", "postgresql", "mssql", "duckdb"] as const;

/** Takes the URI of a known sink apart, without opening anything. Throws TerminalFailure SINK_URI and SINK_SCHEME. */
export function requireSink(uri: string): SinkUri & { readonly scheme: (typeof sinkSchemes)[number] } {
  const { scheme, rest } = parseSinkUri(uri);
  const known = sinkSchemes.find((candidate) => candidate === scheme);
  if (known !== undefined) return { scheme: known, rest };
  throw new TerminalFailure({
    code: "SINK_SCHEME",
    message: `no sink is known for ${scheme}:// (in ${safeUrl(uri)})`,
    hint: `Known ones are ${sinkSchemes.map((candidate) => `${candidate}://`).join(", ")}`,
  });
}
