import { dirname, join } from "node:path";
import { openMessage, readingArrow } from "../../arrow/message.ts";
import { readSchema, writeSchema, type ArrowSchema } from "../../arrow/schema.ts";
import { describeFields } from "../../arrow/type.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { lineageFields } from "../columns.ts";
import { createGathering } from "../files/gathering.ts";
import { onFiles } from "../files/refusal.ts";
import { appendTo, openStaging, removeStaging, syncFolders, type StagingFile } from "../files/staging.ts";
import { stagedName, targetName } from "../files/target.ts";
import type { OpenRequest, SinkWriter, StagedOutput } from "../sink.ts";
import { createWriterLife } from "../writer-life.ts";
import { checkColumns } from "./columns.ts";
import { dialects, type DialectName } from "./dialect.ts";
import { marksOf } from "./marks.ts";
import { createPartOrder } from "./part-order.ts";
import type { TextPool } from "./text-pool.ts";

export interface WriterOptions {
  readonly request: OpenRequest;
  readonly folder: string;
  readonly dialect: DialectName;
  readonly pool: TextPool;
}

/** So many bytes of Arrow are a part. */
const partBytes = 4 * 1024 * 1024;

/**
 * Writes one output: batches are gathered into parts, each part becomes text on a thread, and the text is appended to the staging file in
 * order. `write` waits while all threads are at work, so memory is flat: the part that is being gathered, those under way, and a slice of
 * text for each.
 */
export async function createWriter({ request, folder, dialect, pool }: WriterOptions): Promise<SinkWriter> {
  const schema = readingArrow(`the schema of ${request.output}`, () => readSchema(openMessage(request.schema.bytes).header));
  checkColumns(schema);
  const suffix = `.${dialect}`;
  const rowEnd = dialects[dialect].rowEnd(request.lineage);
  const header = Buffer.from(dialects[dialect].header(schema.fields.map(({ name }) => name)));
  const staging = await openStaging(folder, stagedName(request, suffix));
  const gathering = createGathering(writeSchema(schema));
  let rowsWritten = 0;
  const parts = createPartOrder(pool, async (text, rows) => {
    await appendTo(staging, text);
    rowsWritten += rows;
  });
  const sendPart = (): Promise<void> => parts.send(() => ({ dialect, rowEnd, ...gathering.take() }));

  const release = async (): Promise<void> => {
    await parts.stop();
    gathering.close();
    await staging.handle.close().catch(() => {});
  };
  const life = createWriterLife(request, async (from) => {
    if (from === "open") await release();
    await removeStaging(folder, staging.name);
  });
  await life.whileOpen(() => appendTo(staging, header));

  return {
    write: (message) =>
      life.whileOpen(async () => {
        if (message.kind === "schema") return;
        gathering.add(message);
        if (gathering.bytes() >= partBytes) await sendPart();
      }),
    stage: () =>
      life.whileOpen(async () => {
        if (gathering.bytes() > 0) await sendPart();
        await parts.drain();
        const finished = await finishFile(staging, dialect, pool);
        life.setStaged();
        await release();
        return { ...describe(request, schema, { folder, suffix, name: staging.name, rowEnd, ...finished }), rowsWritten };
      }),
    abort: life.abort,
  };
}

interface FinishedFile {
  readonly rowsReadBack: number;
  readonly sizeBytes: number;
  readonly ends: string;
  readonly changed: string;
}

/** Makes the file and its folders' entries durable, and counts what is on disk. */
async function finishFile(staging: StagingFile, dialect: DialectName, pool: TextPool): Promise<FinishedFile> {
  const { handle, path, oldFolder } = staging;
  return onFiles(`${path} can't be made durable`, async () => {
    await handle.sync();
    await syncFolders(dirname(path), oldFolder);
    const rowsReadBack = await pool.count(dialect, path);
    if (rowsReadBack === null) throw new TerminalFailure({ code: "SINK_UNREADABLE", message: `${path} ends within a row` });
    return { rowsReadBack, sizeBytes: (await handle.stat()).size, ...(await marksOf(handle)) };
  });
}

function describe(
  request: OpenRequest,
  { fields }: ArrowSchema,
  file: FinishedFile & { readonly folder: string; readonly suffix: string; readonly name: string; readonly rowEnd: string },
): Omit<StagedOutput, "rowsWritten"> {
  const { folder, suffix, name, rowEnd, ends, changed, rowsReadBack, sizeBytes } = file;
  const target = targetName(request, folder, suffix);
  return {
    uri: request.uri,
    mode: request.mode,
    output: request.output,
    rowsReadBack,
    sizeBytes,
    columns: describeFields([...fields, ...lineageFields]),
    staged: { name, target, ends, changed, rowEnd },
    target: join(folder, target),
  };
}
