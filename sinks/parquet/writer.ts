import { dirname, join } from "node:path";
import type { ArrowMessage } from "../../domain/arrow.ts";
import { resultOf } from "../result-name.ts";
import type { OpenRequest, SinkWriter, StagedOutput } from "../sink.ts";
import { createWriterLife } from "../writer-life.ts";
import { openMessage, readingArrow } from "../../arrow/message.ts";
import { readSchema, writeSchema } from "../../arrow/schema.ts";
import { describeFields } from "../../arrow/type.ts";
import { createAssembly } from "./assembly.ts";
import type { Assembly } from "./assembly.ts";
import type { EncodePool } from "./encode-pool.ts";
import { encodeFooter, readSummary } from "./footer.ts";
import { createGathering } from "../files/gathering.ts";
import { lineageElements } from "./lineage-column.ts";
import { arrowSchemaKey, ownKeyValues, parquetFiles, withoutOwnKeys } from "./ownership.ts";
import { createPartPipeline } from "./part-pipeline.ts";
import { onFiles } from "../files/refusal.ts";
import { appendTo, openStaging, removeStaging, syncFolders } from "../files/staging.ts";
import type { StagingFile } from "../files/staging.ts";
import { storedSchema } from "./stored-schema.ts";
import type { StoredSchema } from "./stored-schema.ts";
import { stagedName, targetName } from "../files/target.ts";

export interface WriterOptions {
  readonly request: OpenRequest;
  readonly folder: string;
  readonly pool: EncodePool;
  /** Parts that may be under way: one for each thread, and one that waits for the disk. */
  readonly partsMax: number;
  /** How many bytes of Arrow make a part, for so many columns and as many outputs as are being written now. */
  readonly partBytes: (columns: number) => number;
  /** Called once, when the writer holds no memory any more. */
  readonly onEnd: () => void;
}

/**
 * Writes one output: batches are gathered into parts, each part becomes Parquet on a thread, and the parts are appended to the
 * staging file in order. `write` waits while all threads are at work, so memory is flat: the part that is being gathered and
 * those under way.
 */
export async function createWriter(options: WriterOptions): Promise<SinkWriter> {
  const { request, folder } = options;
  const plugin = readingArrow(`the schema of ${request.output}`, () => readSchema(openMessage(request.schema.bytes).header));
  const stored = storedSchema({ ...plugin, metadata: withoutOwnKeys(plugin.metadata) });
  const staging = await openStaging(folder, stagedName(request, parquetFiles.suffix));
  const assembly = createAssembly(request.lineage, (bytes) => appendTo(staging, bytes));
  const gathering = createGathering(writeSchema(stored.sent));
  const pipeline = createPartPipeline({ ...options, deliver: (file) => assembly.add(file) });
  const convertFrom = stored.converts ? plugin.fields : undefined;
  const sendPart = (): Promise<void> => pipeline.send(() => ({ ...gathering.take(), convertFrom, deltaColumns: stored.deltaColumns }));

  const release = async (): Promise<void> => {
    await pipeline.stop();
    gathering.close();
    await staging.handle.close().catch(() => {});
    options.onEnd();
  };
  const life = createWriterLife(request, async (from) => {
    if (from === "open") await release();
    await removeStaging(folder, staging.name);
  });

  return {
    write: (message: ArrowMessage) =>
      life.whileOpen(async () => {
        if (message.kind === "schema") return;
        gathering.add(message);
        if (gathering.bytes() >= options.partBytes(plugin.fields.length)) await sendPart();
      }),
    stage: () =>
      life.whileOpen(async () => {
        // Without rows too: the encoder says how the schema looks in Parquet.
        if (gathering.bytes() > 0 || !gathering.wasTaken()) await sendPart();
        await pipeline.drain();
        const summary = await finishFile(staging, footerOf(request, staging.name, stored, assembly));
        life.setStaged();
        await release();
        return { ...describe(request, folder, staging, stored), rowsWritten: assembly.rows(), ...summary };
      }),
    abort: life.abort,
  };
}

/** The end of a file of the staging `name`. */
export function footerOf(request: OpenRequest, name: string, { kept }: StoredSchema, assembly: Assembly): Uint8Array {
  const arrowSchema = Buffer.from(writeSchema(kept)).toString("base64");
  return encodeFooter({
    ...assembly.result(),
    addedElements: lineageElements,
    keyValues: [...kept.metadata, ...ownKeyValues(request, name), { key: arrowSchemaKey, value: arrowSchema }],
  });
}

/** Ends the file, makes it and its folders' entries durable, and counts what is on disk. */
async function finishFile(staging: StagingFile, footer: Uint8Array): Promise<Pick<StagedOutput, "rowsReadBack" | "sizeBytes">> {
  await appendTo(staging, footer);
  return onFiles(`${staging.path} can't be made durable`, async () => {
    await staging.handle.sync();
    await syncFolders(dirname(staging.path), staging.oldFolder);
    const { rows, sizeBytes } = await readSummary(staging.handle, staging.path);
    return { rowsReadBack: rows, sizeBytes };
  });
}

function describe(
  request: OpenRequest,
  folder: string,
  { name }: StagingFile,
  { kept }: StoredSchema,
): Omit<StagedOutput, "rowsWritten" | "rowsReadBack" | "sizeBytes"> {
  const target = targetName(request, folder, parquetFiles.suffix);
  return {
    uri: request.uri,
    mode: request.mode,
    output: request.output,
    columns: describeFields(kept.fields),
    staged: { name, target, result: resultOf(request) },
    target: join(folder, target),
  };
}
