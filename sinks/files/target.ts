import { createHash, randomBytes } from "node:crypto";
import { basename, resolve } from "node:path";
import { TerminalFailure } from "../../domain/failure.ts";
import type { OpenRequest } from "../sink.ts";
import { parquetAddress } from "../partition/address.ts";
import { parseSinkUri } from "../uri.ts";

/** Where results wait until they are committed; readers of folders (pyarrow, DuckDB, Spark) pass over names with `_` and other suffixes. */
export const stagingFolder = "_casparian_staging";
const stagedSuffix = ".staged";

/** The folder that a URI of this scheme names; a relative one is below `baseDir`. */
export function folderOf(uri: string, scheme: string, baseDir: string): string {
  const { scheme: given, rest } = parseSinkUri(uri);
  if (given !== scheme)
    throw new TerminalFailure({
      code: "SINK_URI",
      message: `"${uri}" is not a URI of ${scheme}://`,
      hint: `Write it like ${scheme}://output/trades`,
    });
  return resolve(baseDir, scheme === "parquet" ? parquetAddress(uri).folder : rest);
}

/** Where results stay whose place another has taken, for `query --as-of`. */
export const replacedFolder = "_casparian_replaced";

/** The name there of what was staged under this one. */
export function replacedName(name: string): string {
  return `${name.slice(0, -stagedSuffix.length)}.replaced`;
}

/** A new staging name. Two runs of one attempt never share one, so neither can spoil what the other staged. */
export function stagedName({ jobId, attempt, output }: Pick<OpenRequest, "jobId" | "attempt" | "output">, suffix: string): string {
  return `${jobId}-${attempt}-${output}-${randomBytes(4).toString("hex")}${suffix}${stagedSuffix}`;
}

/** Whose result is staged under a name; undefined for files of others. */
export function ownerOfStaged(name: string): { readonly jobId: string; readonly attempt: number } | undefined {
  const match = name.endsWith(stagedSuffix) ? /^(\d+)-(\d+)-/.exec(name) : null;
  const [, jobId, attempt] = match ?? [];
  return jobId === undefined || attempt === undefined ? undefined : { jobId, attempt: Number(attempt) };
}

/**
 * The name under which a result is seen: `airports.v3.1b4e28ba.9f86d081.parquet` with the file's name, its version, and the
 * first digits of the hashes of its content and of the plugin. The same for the same (version, artifact, output), another
 * for any other; the output's name is in it unless the folder is named after the output.
 *
 * One that joins another ends in its job, `….r17.parquet`.
 *
 * What takes the place of another has the same name, because one rename then swaps the two: `airports.f7.1b4e28ba.parquet` with the file's
 * id and the first digits of the hash of the plugin's name for mode `replace`, `trades.parquet` with the output's for `overwrite`.
 */
export function targetName(request: OpenRequest, folder: string, suffix: string): string {
  if (request.mode === "overwrite") return `${request.output}${suffix}`;
  const output = basename(folder) === request.output ? [] : [request.output];
  const named = [stemOf(request.relPath), ...output];
  const { lineage, artifactHash } = request;
  if (request.mode === "replace") {
    const plugin = createHash("sha256").update(request.pluginName).digest("hex");
    return `${[...named, `f${request.locationId}`, plugin.slice(0, 8)].join(".")}${suffix}`;
  }
  const hashes = [lineage.sourceHash.slice(0, 8), artifactHash.slice(0, 8)];
  const joining = request.isJoining === true ? [`r${request.jobId}`] : [];
  return `${[...named, `v${lineage.fileVersionId}`, ...hashes, ...joining].join(".")}${suffix}`;
}

const stemBytesMax = 100;

/** The file's name without its last suffix, in characters that every file system takes; readers pass over names that begin with `_` or `.`. */
function stemOf(relPath: string): string {
  const name = relPath.slice(relPath.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  let stem = (dot > 0 ? name.slice(0, dot) : name)
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}_.-]+/gu, "_")
    .replace(/^[._]+/u, "");
  while (Buffer.byteLength(stem) > stemBytesMax) stem = [...stem].slice(0, -1).join("");
  return stem || "file";
}
