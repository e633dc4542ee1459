import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { StagedOutput } from "../sink.ts";
import { replacedFolder, replacedName } from "../files/target.ts";
import { folderOf, keyOf } from "./address.ts";
import { openClient } from "./client.ts";
import { createObjects, type S3Objects } from "./objects.ts";
import { onBucket } from "./refusal.ts";

/** A committed result, as far as its object can be found by it. */
type KeptResult = Pick<StagedOutput, "uri" | "sizeBytes" | "staged" | "target">;

/** Where the rows of a result are after it was fetched. */
export type Fetched = "fetched" | "nothing" | "another file";

export interface S3Reader {
  /**
   * Copies the object of a committed result to a local file: the one under its target's name, or in `_casparian_replaced` where another has that
   * name now. What is fetched is one object as a whole, whatever takes its place meanwhile.
   */
  fetch(result: KeptResult, path: string, signal: AbortSignal): Promise<Fetched>;
  close(): void;
}

export async function openS3Reader(): Promise<S3Reader> {
  const client = await openClient();
  return {
    fetch(result, path, signal) {
      const { bucket } = folderOf(result.uri);
      const objects = createObjects(client, bucket);
      return onBucket(`${result.target} can't be read`, () => fetchFrom(objects, result, path, signal));
    },
    close: () => client.destroy(),
  };
}

async function fetchFrom(objects: S3Objects, { uri, sizeBytes, staged }: KeptResult, path: string, signal: AbortSignal): Promise<Fetched> {
  const folder = folderOf(uri);
  const name = String(staged["name"]);
  const keys = [keyOf(folder, String(staged["target"])), keyOf(folder, replacedFolder, replacedName(name))];
  let found: Fetched = "nothing";
  for (const key of keys) {
    const object = await objects.open(key, signal);
    if (object === null) continue;
    if (object.owner?.staged !== name || object.sizeBytes !== sizeBytes) {
      object.body.destroy();
      found = "another file";
      continue;
    }
    await pipeline(object.body, createWriteStream(path), { signal });
    return "fetched";
  }
  return found;
}
