import { join } from "node:path";
import { createBatchReader, type Batch } from "../../arrow/column.ts";
import { dictionaryIds } from "../../arrow/buffers.ts";
import { compactColumn } from "../../arrow/compact.ts";
import { takeRows } from "../../arrow/filter.ts";
import { readingArrow } from "../../arrow/message.ts";
import { writeSchema } from "../../arrow/schema.ts";
import { describeFields } from "../../arrow/type.ts";
import { writeBatch } from "../../arrow/write-batch.ts";
import type { ArrowMessage } from "../../domain/arrow.ts";
import { checkNames } from "../columns.ts";
import { onFiles } from "../files/refusal.ts";
import { syncFolders } from "../files/staging.ts";
import { stagedName, targetName } from "../files/target.ts";
import { withoutOwnKeys } from "../parquet/ownership.ts";
import { createPartPipeline } from "../parquet/part-pipeline.ts";
import { storedSchema } from "../parquet/stored-schema.ts";
import { footerOf, type WriterOptions } from "../parquet/writer.ts";
import { resultOf } from "../result-name.ts";
import type { OpenRequest, SinkWriter, StagedOutput } from "../sink.ts";
import { createWriterLife } from "../writer-life.ts";
import { attemptColumn, resultColumn } from "./address.ts";
import { partitionedColumns } from "./columns.ts";
import { inLanes } from "./lanes.ts";
import { requireLayout } from "./layout.ts";
import { emptyName, writeManifest, type ResultFile } from "./manifest.ts";
import { createPartFile, createResultFolders, type PartFile, type ResultFolders } from "./part-file.ts";
import { createDictionaries, createPending, type Pending } from "./pending.ts";
import { openStagedFolder, placeOf, removeStagedFolder, type Place } from "./place.ts";
import { createSplitter, type Piece } from "./split.ts";
import { requireSwap } from "./swap.ts";

export interface PartitionWriterOptions extends WriterOptions {
  /** The columns that become folders. */
  readonly partition: readonly string[];
  /** How many bytes of Arrow all partitions of the output may hold together, for as many outputs as are being written now. */
  readonly pendingBytesMax: () => number;
}

interface Partition {
  readonly file: PartFile;
  readonly pending: Pending;
}

/**
 * Writes one output as a folder of Parquet files, one for each partition. Rows gather for each partition until they make a part, or until all
 * partitions together hold too much: then the largest part is written first. So memory is flat, and with few rows in many partitions the row
 * groups are as large as it allows.
 */
export async function createPartitionWriter(options: PartitionWriterOptions): Promise<SinkWriter> {
  const { request, folder, partition } = options;
  const reader = createBatchReader(request.schema);
  const { fields, metadata } = reader.schema;
  checkNames(fields, "a Parquet file");
  const columns = partitionedColumns(reader.schema, partition);
  const fileFields = columns.files.map((at) => fields[at]!);
  const stored = storedSchema({ fields: fileFields, metadata: withoutOwnKeys(metadata) });
  // Also refuses types that partition columns could not have in a file.
  const described = storedSchema(reader.schema).kept.fields;
  const place = placeOf(folder);
  const name = stagedName(request, "");
  const attempt = `${attemptColumn}=${name.replace(/\.staged$/, "")}`;
  const { staging, folders } = await openPlace(place, { name, attempt }, options);

  const dictionaries = createDictionaries(fileFields);
  const sharedIds = new Set(fileFields.flatMap(dictionaryIds));
  const schemaBytes = writeSchema(stored.sent);
  const split = createSplitter(columns.folders);
  const partitions = new Map<string, Partition>();
  const sent: PartFile[] = [];
  const pipeline = createPartPipeline({ ...options, deliver: (part) => sent.shift()!.append(part) });
  const convertFrom = stored.converts ? fileFields : undefined;
  let pendingBytes = 0;

  const openPartition = (path: string): Partition => ({
    file: createPartFile(staging.path, path, { lineage: request.lineage, makeFolder: folders.make }),
    pending: createPending(schemaBytes, dictionaries),
  });
  const sendPart = ({ file, pending }: Partition): Promise<void> =>
    pipeline.send(() => {
      pendingBytes -= pending.bytes();
      sent.push(file);
      return { ...pending.take(), convertFrom, deltaColumns: stored.deltaColumns };
    });
  const add = async (batch: Batch, { path, runs }: Piece): Promise<void> => {
    const filePath = `${attempt}/${path}/rows.parquet`;
    const known = partitions.get(filePath) ?? openPartition(filePath);
    partitions.set(filePath, known);
    const before = known.pending.bytes();
    known.pending.add(messageOf(batch, { columns: columns.files, runs, sharedIds }));
    pendingBytes += known.pending.bytes() - before;
    if (known.pending.bytes() >= options.partBytes(fileFields.length)) await sendPart(known);
    while (pendingBytes > options.pendingBytesMax()) {
      // One that was aborted meanwhile sends nothing more, and so holds as much for ever.
      life.checkOpen();
      await sendPart(largest(partitions));
    }
  };
  const release = async (): Promise<void> => {
    await pipeline.stop();
    partitions.clear();
    options.onEnd();
  };
  const life = createWriterLife(request, async (from) => {
    if (from === "open") await release();
    await removeStagedFolder(place, name);
  });

  return {
    write: (message: ArrowMessage) =>
      life.whileOpen(async () => {
        if (message.kind === "dictionary") dictionaries.add(message);
        const batch = reader.read(message);
        if (batch === null) return;
        for (const piece of readingArrow("a batch", () => split(batch))) await add(batch, piece);
      }),
    stage: () =>
      life.whileOpen(async () => {
        // Without rows, too, a file says how the schema looks in Parquet.
        if (partitions.size === 0) partitions.set(emptyName, openPartition(emptyName));
        for (const [path, part] of partitions) if (part.pending.bytes() > 0 || path === emptyName) await sendPart(part);
        await pipeline.drain();
        const parts = [...partitions.values()];
        const rowsWritten = parts.reduce((sum, { file }) => sum + file.rows(), 0);
        const files = await inLanes(parts, ({ file }) => file.finish((assembly) => footerOf(request, name, stored, assembly)));
        await writeManifest(staging.path, { staged: name, result: resultOf(request), files });
        await syncResult(staging, folders.made());
        life.setStaged();
        await release();
        return { ...describe(request, { name, folder, files }), columns: describeFields(described), rowsWritten };
      }),
    abort: life.abort,
  };
}

interface OpenPlace {
  readonly staging: { readonly path: string; readonly oldFolder: string };
  readonly folders: ResultFolders;
}

/** The staged folder with the one of its attempt, after all that can be refused before any row. */
async function openPlace(
  place: Place,
  { name, attempt }: { readonly name: string; readonly attempt: string },
  { request, partition }: PartitionWriterOptions,
): Promise<OpenPlace> {
  const staging = await openStagedFolder(place, name);
  try {
    await requireLayout(place.folder, partition);
    if (request.mode === "replace" || request.mode === "overwrite")
      await onFiles(`${staging.path} can't be tried`, () => requireSwap(staging.path));
    const folders = createResultFolders(staging.path);
    await folders.make(attempt);
    return { staging, folders };
  } catch (error) {
    await removeStagedFolder(place, name);
    throw error;
  }
}

interface Cut extends Pick<Piece, "runs"> {
  /** Of the columns that stay in the files. */
  readonly columns: readonly number[];
  /** Dictionaries are written apart, for all pieces. */
  readonly sharedIds: ReadonlySet<number>;
}

function messageOf(batch: Batch, { columns, runs, sharedIds }: Cut): Uint8Array {
  const kept = columns.map((at) => batch.columns[at]!);
  if (runs.rows === batch.rows) return writeBatch(batch.rows, kept).bytes;
  return readingArrow("a batch", () => {
    const taken = kept.map((column) => compactColumn(takeRows(column, runs), sharedIds));
    return writeBatch(runs.rows, taken).bytes;
  });
}

function largest(partitions: ReadonlyMap<string, Partition>): Partition {
  return [...partitions.values()].reduce((found, partition) => (partition.pending.bytes() > found.pending.bytes() ? partition : found));
}

async function syncResult(
  { path, oldFolder }: { readonly path: string; readonly oldFolder: string },
  made: readonly string[],
): Promise<void> {
  await onFiles(`${path} can't be made durable`, async () => {
    await inLanes(made, (below) => syncFolders(join(path, below), join(path, below)));
    await syncFolders(path, oldFolder);
  });
}

function describe(
  request: OpenRequest,
  { name, folder, files }: { readonly name: string; readonly folder: string; readonly files: readonly ResultFile[] },
): Omit<StagedOutput, "rowsWritten" | "columns"> {
  const target = `${resultColumn}=${targetName(request, folder, "")}`;
  return {
    uri: request.uri,
    mode: request.mode,
    output: request.output,
    rowsReadBack: files.reduce((sum, { rows }) => sum + rows, 0),
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    staged: { name, target, result: resultOf(request), partitions: files.filter(({ path }) => path !== emptyName).length },
    target: join(folder, target),
  };
}
