import { dirname, isAbsolute, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import type { RunFacts, RunOutput } from "../../db/run-event.ts";
import { parseSinkUri } from "../../sinks/uri.ts";

/** A dataset as OpenLineage names it (https://openlineage.io/docs/spec/naming), and where it is. */
export interface DatasetName {
  readonly namespace: string;
  readonly name: string;
  readonly kind: "FILE" | "TABLE";
  /** What holds it, for people, and its address without secrets; null where that is not a URI. */
  readonly source: { readonly name: string; readonly uri: string | null };
}

/** The file that a job read. A member of an archive has the archive's path in its own: `/in/drop.zip!/a.csv`. */
export function inputDataset({ source, root, path }: Pick<RunFacts, "source" | "root" | "path">): DatasetName {
  return { namespace: "file", name: join(root, path), kind: "FILE", source: { name: source, uri: pathToFileURL(root).href } };
}

/**
 * The table or folder that an output went to: the same for all files, so that what reads it is linked to what fills it. Where the record
 * knows a server by the name of a connection only, that name stands for it.
 */
export function outputDataset(output: Pick<RunOutput, "uri" | "target" | "output">): DatasetName {
  const { scheme, rest } = parseSinkUri(output.uri);
  if (scheme === "parquet" || scheme === "csv" || scheme === "jsonl") return folder(rest, output.target);
  if (scheme === "s3") return bucket(rest);
  if (scheme === "postgres" || scheme === "postgresql") return postgresTable(rest, output.output);
  return elsewhere(scheme, rest);
}

/** Relative folders are below the home of whoever ran the job, which the target tells. */
function folder(rest: string, target: string): DatasetName {
  const given = normalize(rest).replace(/(?<=.)\/+$/, "");
  const at = target.lastIndexOf(`/${given}/`);
  const below = at < 0 ? dirname(target) : target.slice(0, at + given.length + 1);
  const name = isAbsolute(given) ? given : below;
  return { namespace: "file", name, kind: "FILE", source: { name: "file", uri: pathToFileURL(name).href } };
}

function bucket(rest: string): DatasetName {
  const [name = "", ...key] = rest.split("/");
  const namespace = `s3://${name}`;
  return { namespace, name: key.filter(Boolean).join("/") || "/", kind: "FILE", source: { name, uri: namespace } };
}

function postgresTable(rest: string, output: string): DatasetName {
  const [address = "", query] = rest.split("?", 2);
  const server = hostOf(address);
  const path = address.slice(address.indexOf("/") + 1 || address.length);
  const isConnection = query === undefined && /^[A-Za-z][\w-]*$/.test(server);
  const table = qualified((isConnection ? path : new URLSearchParams(query).get("table")) || output);
  const host = isConnection || /:\d+$/.test(server) ? server : `${server || "localhost"}:5432`;
  const namespace = `postgres://${host}`;
  return { namespace, name: isConnection ? table : `${path}.${table}`, kind: "TABLE", source: { name: host, uri: namespace } };
}

function qualified(table: string): string {
  return table.includes(".") ? table : `public.${table}`;
}

function elsewhere(scheme: string, rest: string): DatasetName {
  const [address = ""] = rest.split("?", 1);
  const slash = address.indexOf("/");
  const host = slash < 0 ? "" : hostOf(address);
  const namespace = host === "" ? scheme : `${scheme}://${host}`;
  const name = address.slice(slash + 1).replace(/^.*@/, "") || scheme;
  return { namespace, name, kind: "TABLE", source: { name: host || scheme, uri: URL.canParse(namespace) ? namespace : null } };
}

/** Without user and password. */
function hostOf(address: string): string {
  const [authority = ""] = address.split("/", 1);
  return authority.slice(authority.lastIndexOf("@") + 1);
}
