import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { messageOf } from "../../domain/failure.ts";
import { requireSink } from "../../sinks/uri.ts";
import { listTopics, type TopicPlace } from "../list-topics.ts";
import type { Diagnosis, Patient } from "./diagnosis.ts";

const subject = "topics";

/** Is there a sink for every topic, and can its target be written? */
export async function checkTopics(patient: Patient): Promise<readonly Diagnosis[]> {
  const topics = await listTopics(patient);
  const found = (await Promise.all(topics.map((topic) => checkTopic(patient.home, topic)))).flat();
  if (found.length > 0) return found;
  const message = topics.length === 0 ? "none" : topics.map(({ plugin, output, uri }) => `${plugin}/${output} → ${uri}`).join(", ");
  return [{ subject, severity: "ok", message, hint: null }];
}

async function checkTopic(home: string, { plugin, output, uri }: TopicPlace): Promise<readonly Diagnosis[]> {
  const hint = `casparian topic set ${plugin} ${output} parquet://./output/${output}`;
  try {
    const { rest } = requireSink(uri);
    const folder = resolve(home, rest);
    const blocked = await findBlocked(folder);
    if (blocked === null) return [];
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
