import { basename, parse } from "node:path";
import { WrongUse } from "../domain/failure.ts";
import { writePlugin } from "../preview/plugin/write-plugin.ts";
import { previewFile, type Preview, type PreviewOptions } from "../preview/preview.ts";
import { listExamples, writeNew } from "./new-plugin.ts";

export type { Preview } from "../preview/preview.ts";

export interface PreviewResult extends Preview {
  /** The example plugin that reads such files. */
  readonly example: string | null;
  /** The plugin that was written. */
  readonly plugin: string | null;
}

/**
 * Says what a file is and, where it is asked for, writes a starting plugin that reads it. Throws WrongUse for what can't be read, for content
 * of which no plugin can be made, and for a plugin's file that is there already.
 */
export async function previewPath(path: string, options: PreviewOptions, pluginFile: string | undefined): Promise<PreviewResult> {
  const preview = await previewFile(path, options);
  const examples = preview.known === null ? [] : await listExamples();
  const example = examples.find((name) => name.startsWith(preview.known!.example)) ?? null;
  if (pluginFile !== undefined) await writeStart(preview, pluginFile, example);
  return { ...preview, example, plugin: pluginFile ?? null };
}

async function writeStart(preview: Preview, pluginFile: string, example: string | null): Promise<void> {
  const written = writePlugin(preview, {
    topic: parse(pluginFile).name.replaceAll(/[^A-Za-z0-9_]/g, "_"),
    fileName: basename(preview.path),
  });
  if (written === null) {
    const hint =
      example === null ? "Begin with casparian plugin new NAME" : `Begin with the example: casparian plugin new NAME --like ${example}`;
    throw new WrongUse(`no plugin can be made from what ${preview.path} shows of itself`, hint);
  }
  await writeNew(pluginFile, written);
}
