import type { ArrowMessage } from "../../domain/arrow.ts";
import { createBatchReader } from "../../arrow/column.ts";
import { describeFields, type ArrowField } from "../../arrow/type.ts";
import { lineageFields } from "../columns.ts";
import type { OpenRequest, SinkWriter, StagedOutput } from "../sink.ts";
import { createWriterLife } from "../writer-life.ts";
import { describeStaged, newStagingName } from "../tables/staged.ts";
import { targetUri } from "../tables/keep.ts";
import type { TableName } from "../tables/table-name.ts";
import { postgresUri } from "./address.ts";
import { targetColumns } from "./columns.ts";
import { createRowEncoder } from "./encode-rows.ts";
import { ensureOwnSchema } from "./own-schema.ts";
import type { Server } from "./server.ts";
import { discardStaged } from "./staging.ts";
import { startStaging, type Staging } from "./stage-rows.ts";
import { planTable } from "./table.ts";

export interface WriterOptions {
  readonly request: OpenRequest;
  readonly server: Server;
  readonly table: TableName;
  /** Called once, when the writer takes no more. */
  readonly onEnd: () => void;
}

/**
 * Writes one output: batches become rows of a binary `COPY` into a table of its own. That table is made, filled and registered in one
 * transaction, which begins with the first block and ends with `stage`, so a writer that dies leaves nothing.
 */
export async function createWriter({ request, server, table, onEnd }: WriterOptions): Promise<SinkWriter> {
  const reader = createBatchReader(request.schema);
  const columns = targetColumns(reader.schema.fields);
  await ensureOwnSchema(server);
  await server.use(`${table.schema}.${table.name} can't be looked at`, (client) => planTable(client, table, columns, request.mode));
  const encoder = createRowEncoder(columns.length);
  const name = newStagingName(request);
  let staging: Staging | null = null;
  let sending: Promise<void> = Promise.resolve();
  let [rowsWritten, bytesSent] = [0, 0];

  /** One block is on its way while the next is made. */
  const send = async (block: Uint8Array): Promise<void> => {
    await sending;
    // An abort that came meanwhile would not end a transaction that begins now.
    life.checkOpen();
    bytesSent += block.length;
    staging ??= startStaging(server, { request, table, name, columns });
    sending = staging.send(block);
    // Its failure is the next call's.
    sending.catch(() => {});
  };
  const life = createWriterLife(request, async (from) => {
    if (from === "open") onEnd();
    if (from === "open" && staging !== null) await staging.abort();
    if (from === "staged") await discardStaged(server, name);
  });

  return {
    write: (message: ArrowMessage) =>
      life.whileOpen(async () => {
        const batch = reader.read(message);
        if (batch === null) return;
        for (const block of encoder.encode(batch)) await send(block);
        rowsWritten += batch.rows;
      }),
    stage: () =>
      life.whileOpen(async () => {
        await send(encoder.finish());
        await sending;
        const rowsReadBack = await staging!.stage();
        life.setStaged();
        onEnd();
        return {
          ...describe(request, reader.schema.fields),
          staged: describeStaged(request, name, table),
          rowsWritten,
          rowsReadBack,
          sizeBytes: bytesSent,
        };
      }),
    abort: life.abort,
  };
}

function describe(
  { uri, mode, output }: OpenRequest,
  fields: readonly ArrowField[],
): Pick<StagedOutput, "uri" | "mode" | "output" | "columns" | "target"> {
  return {
    uri: targetUri(uri),
    mode,
    output,
    columns: describeFields([...fields, ...lineageFields]),
    target: postgresUri(uri, output),
  };
}
