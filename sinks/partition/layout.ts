import { randomBytes } from "node:crypto";
import { link, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TerminalFailure } from "../../domain/failure.ts";
import { onFiles, systemCode } from "../files/refusal.ts";

/** In a partitioned folder, where its readers pass over it. */
const layoutName = "_casparian_partition.json";

/**
 * Throws TerminalFailure SINK_LAYOUT where the folder holds results that are partitioned by other columns, or not at all: no reader could
 * take them together. The first output that is partitioned notes by what, in a folder that is there.
 */
export function requireLayout(folder: string, partition: readonly string[]): Promise<void> {
  return onFiles(`${folder} can't be read`, async () => {
    const noted = (await readLayout(folder)) ?? (partition.length === 0 ? [] : await noteLayout(folder, partition));
    if (JSON.stringify(noted) !== JSON.stringify(partition)) throw otherLayout(folder, describe(noted), describe(partition));
  });
}

async function readLayout(folder: string): Promise<readonly string[] | null> {
  try {
    return (JSON.parse(await readFile(join(folder, layoutName), "utf8")) as { readonly partition: readonly string[] }).partition;
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return null;
    throw error;
  }
}

/** Of two that begin at once, one links its note, and both read that. */
async function noteLayout(folder: string, partition: readonly string[]): Promise<readonly string[]> {
  const plain = (await readdir(folder)).find((name) => name.endsWith(".parquet"));
  if (plain !== undefined) throw otherLayout(folder, `results that are not partitioned, such as ${plain}`, describe(partition));
  const draft = join(folder, `${layoutName}.${randomBytes(4).toString("hex")}`);
  await writeFile(draft, `${JSON.stringify({ partition })}\n`, { flush: true });
  try {
    await link(draft, join(folder, layoutName));
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  } finally {
    await unlink(draft);
  }
  return (await readLayout(folder))!;
}

function describe(partition: readonly string[]): string {
  return partition.length === 0 ? "results that are not partitioned" : `results partitioned by ${partition.join(", ")}`;
}

function otherLayout(folder: string, present: string, wanted: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_LAYOUT",
    message: `${folder} has ${present}, and readers can't take ${wanted} together with them`,
    hint: `Give the topic another folder; or move those results away, with ${layoutName} where it is there`,
  });
}
