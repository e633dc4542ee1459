import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { messageOf, TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import { duckdbAddress, pathOf } from "../../sinks/duckdb/address.ts";
import { probePostgres } from "../../sinks/postgres/probe.ts";
import { parquetAddress } from "../../sinks/partition/address.ts";
import { requireSink } from "../../sinks/uri.ts";
import { listTopics, type TopicPlace } from "../list-topics.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "topics";

/** Is there a sink for every topic, and can its target be written? */
export async function checkTopics(patient: Patient): Promise<readonly Diagnosis[]> {
  const topics = await listTopics(patient);
  const found = (await Promise.all(topics.map((topic) => checkTopic(patient, topic)))).flat();
  if (found.length > 0) return found;
  const message = topics.length === 0 ? "none" : topics.map(({ plugin, output, uri }) => `${plugin}/${output} → ${uri}`).join(", ");
  return [{ subject, severity: "ok", message, hint: null }];
}

async function checkTopic({ home, connections }: Patient, { plugin, output, uri }: TopicPlace): Promise<readonly Diagnosis[]> {
  const hint = `casparian topic set ${plugin} ${output} parquet://./output/${output}`;
  try {
    const { scheme, rest } = requireSink(uri);
    if (scheme === "postgres" || scheme === "postgresql")
      // Asked from here, with this process's environment; the workers may have another.
      return await probing({ plugin, output }, () => probePostgres(uri, { output, connections }));
    if (!folders.has(scheme)) return [];
    const inFolder = scheme === "parquet" ? parquetAddress(uri).folder : rest;
    const folder = scheme === "duckdb" ? dirname(pathOf(duckdbAddress(uri), home)) : resolve(home, inFolder);
    const blocked = await findBlocked(folder);
    if (blocked === null) return scheme === "duckdb" ? await probing({ plugin, output }, () => probeFile(uri, output, home)) : [];
    return [
      {
        subject,
        severity: "error",
        message: `${plugin}/${output}: ${folder} can't be written: ${blocked}`,
        hint: `Let this user write there, or ${hint}`,
      },
    ];
  } catch (error) {
    return [{ subject, severity: "error", message: `${plugin}/${output}: ${messageOf(error)}`, hint }];
  }
}

/** Sinks that write into a folder of this machine. */
const folders: ReadonlySet<string> = new Set(["parquet", "csv", "jsonl", "duckdb"]);

/** DuckDB is loaded where a topic needs it. */
async function probeFile(uri: string, output: string, baseDir: string): Promise<void> {
  const { probeDuckdb } = await import("../../sinks/duckdb/probe.ts");
  await probeDuckdb(uri, { output, baseDir });
}

async function probing(
  { plugin, output }: Pick<TopicPlace, "plugin" | "output">,
  probe: () => Promise<void>,
): Promise<readonly Diagnosis[]> {
  try {
    await probe();
    return [];
  } catch (error) {
    const hint = error instanceof TerminalFailure || error instanceof TransientFailure ? (error.hint ?? null) : null;
    return [{ subject, severity: "error", message: `${plugin}/${output}: ${messageOf(error)}`, hint }];
  }
}

/** Why nothing can be written below the folder, which need not be there yet; null where it can. */
async function findBlocked(folder: string): Promise<string | null> {
  for (let place = folder; ; place = dirname(place)) {
    try {
      await access(place, constants.W_OK | constants.X_OK);
      return null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || place === dirname(place)) return messageOf(error);
    }
  }
}
