import { dirname, isAbsolute, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import type { RunFacts, RunOutput } from "../../db/run-event.ts";
import { duckdbAddress } from "../../sinks/duckdb/address.ts";
import { mssqlAddress } from "../../sinks/mssql/address.ts";
import { parquetAddress } from "../../sinks/partition/address.ts";
import { postgresAddress, tableFor } from "../../sinks/postgres/address.ts";
import { folderOf } from "../../sinks/s3/address.ts";
import { requireSink } from "../../sinks/uri.ts";

/** A dataset as OpenLineage names it (https://openlineage.io/docs/spec/naming), and where it is. */
export interface DatasetName {
  readonly namespace: string;
  readonly name: string;
  readonly kind: "FILE" | "TABLE";
  /** What holds it, for people, and its address without secrets. */
  readonly source: { readonly name: string; readonly uri: string };
}

/** The file that a job read. A member of an archive has the archive's path in its own: `/in/drop.zip!/a.csv`. */
export function inputDataset({ source, root, path }: Pick<RunFacts, "source" | "root" | "path">): DatasetName {
  return { namespace: "file", name: join(root, path), kind: "FILE", source: { name: source, uri: pathToFileURL(root).href } };
}

/**
 * The table or folder that an output went to: the same for all files, so that what reads it is linked to what fills it. Where the record
 * knows a server by the name of a connection only, that name stands for it. The sink has read the URI of what it committed, so that it can be read.
 */
export function outputDataset({ uri, target, output }: Pick<RunOutput, "uri" | "target" | "output">): DatasetName {
  const { scheme, rest } = requireSink(uri);
  switch (scheme) {
    case "parquet":
      return folder(parquetAddress(uri).folder, target);
    case "csv":
    case "jsonl":
      return folder(rest, target);
    case "s3":
      return bucket(uri);
    case "postgres":
    case "postgresql":
      return postgresTable(uri, output);
    case "mssql":
      return mssqlTable(uri);
    case "duckdb":
      return duckdbTable(target);
  }
}

/** Relative folders are below the home of whoever ran the job, which the target tells. */
function folder(rest: string, target: string): DatasetName {
  const given = normalize(rest).replace(/(?<=.)\/+$/, "");
  const at = target.lastIndexOf(`/${given}/`);
  const below = at < 0 ? dirname(target) : target.slice(0, at + given.length + 1);
  const name = isAbsolute(given) ? given : below;
  return { namespace: "file", name, kind: "FILE", source: { name: "file", uri: pathToFileURL(name).href } };
}

function bucket(uri: string): DatasetName {
  const { bucket: name, prefix } = folderOf(uri);
  const namespace = `s3://${name}`;
  return { namespace, name: prefix || "/", kind: "FILE", source: { name, uri: namespace } };
}

function postgresTable(uri: string, output: string): DatasetName {
  const { server, table } = postgresAddress(uri);
  const name = qualified(tableFor(table, output));
  if ("connection" in server) return tableAt("postgres", server.connection, name);
  const { hostname, port, pathname, searchParams } = new URL(server.url);
  // The driver takes a parameter before the address, and its port only where the address has none; a path is that of a socket.
  const given = searchParams.get("host") || hostname;
  const host = given === "" || given.startsWith("/") ? "localhost" : given;
  return tableAt("postgres", `${host}:${port || searchParams.get("port") || "5432"}`, `${decodeURIComponent(pathname.slice(1))}.${name}`);
}

function mssqlTable(uri: string): DatasetName {
  const { connection, table } = mssqlAddress(uri);
  return tableAt("mssql", connection, qualified(table));
}

/** The target has the whole path of the file, and the table. */
function duckdbTable(target: string): DatasetName {
  const { path, table } = duckdbAddress(target);
  const name = table === null ? path : qualified(table);
  return { namespace: `duckdb://${path}`, name, kind: "TABLE", source: { name: path, uri: pathToFileURL(path).href } };
}

function tableAt(scheme: string, host: string, name: string): DatasetName {
  const namespace = `${scheme}://${host}`;
  return { namespace, name, kind: "TABLE", source: { name: host, uri: namespace } };
}

function qualified({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return `${schema}.${name}`;
}
