import type { ArrowMessage } from "../../domain/arrow.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { createBatchReader } from "../../arrow/column.ts";
import { describeFields, type ArrowField } from "../../arrow/type.ts";
import { lineageFields } from "../columns.ts";
import type { OpenRequest, SinkWriter, StagedOutput } from "../sink.ts";
import { createWriterLife } from "../writer-life.ts";
import { targetUri } from "../tables/keep.ts";
import { describeStaged, newStagingName } from "../tables/staged.ts";
import type { TableName } from "../tables/table-name.ts";
import { targetColumns, type TargetColumn } from "./columns.ts";
import { startLoad, type Load } from "./load.ts";
import { ensureOwnSchema } from "./own-schema.ts";
import { onServer } from "./refusal.ts";
import type { Server } from "./server.ts";
import type { Session } from "./session.ts";
import { createStaging, discardStaged, finishStaging } from "./staging.ts";
import { planTable } from "./table.ts";

export interface WriterOptions {
  readonly request: OpenRequest;
  readonly server: Server;
  readonly table: TableName;
}

/**
 * Writes one output: batches become rows of a bulk load into a table of its own, in one transaction, which begins with the first batch and
 * ends with `stage`. A writer that dies leaves that table, empty.
 */
export async function createWriter({ request, server, table }: WriterOptions): Promise<SinkWriter> {
  const reader = createBatchReader(request.schema);
  const columns = targetColumns(reader.schema.fields);
  const name = newStagingName(request);
  const shown = `${table.schema}.${table.name}`;
  await ensureOwnSchema(server);
  await server.use(`${shown} can't be looked at`, (session) => planTable(session, table, columns, request.mode));
  let loading: Promise<Loading> | null = null;
  let [rowsWritten, bytesReceived] = [0, request.schema.bytes.length];

  const load = (): Promise<Loading> => (loading ??= startLoading(server, { request, table, name, columns }));
  const life = createWriterLife(request, async () => {
    if (loading === null) return;
    await loading.then(({ session }) => session.close()).catch(() => {});
    await discardStaged(server, table, name);
  });
  const whileOpen = <T>(doing: string, work: () => Promise<T>): Promise<T> =>
    life.whileOpen(() => onServer(`${server.place}: ${shown} ${doing}`, work));

  return {
    write: (message: ArrowMessage) =>
      whileOpen("can't be written", async () => {
        const batch = reader.read(message);
        bytesReceived += message.bytes.length;
        if (batch === null) return;
        await (await load()).rows.send(batch);
        rowsWritten += batch.rows;
      }),
    stage: () =>
      whileOpen("can't be staged", async () => {
        const { rows, session } = await load();
        const rowsTaken = await rows.finish();
        const rowsReadBack = await finishStaging(session, name);
        if (rowsTaken !== rowsWritten || rowsReadBack !== rowsWritten) throw miscounted(request, { rowsWritten, rowsTaken, rowsReadBack });
        await session.commit();
        session.close();
        life.setStaged();
        return {
          ...describe(request, table, reader.schema.fields),
          staged: describeStaged(request, name, table),
          rowsWritten,
          rowsReadBack,
          sizeBytes: bytesReceived,
        };
      }),
    abort: life.abort,
  };
}

interface Loading {
  readonly session: Session;
  readonly rows: Load;
}

async function startLoading(
  server: Server,
  staging: { readonly request: OpenRequest; readonly table: TableName; readonly name: string; readonly columns: readonly TargetColumn[] },
): Promise<Loading> {
  await server.transaction("a table for the rows can't be made in the schema _casparian", (session) => createStaging(session, staging));
  const session = await server.connect();
  try {
    await session.begin();
    return { session, rows: startLoad(session, staging.name, staging.columns) };
  } catch (error) {
    session.close();
    await discardStaged(server, staging.table, staging.name).catch(() => {});
    throw error;
  }
}

function miscounted(
  { output }: OpenRequest,
  { rowsWritten, rowsTaken, rowsReadBack }: { readonly rowsWritten: number; readonly rowsTaken: number; readonly rowsReadBack: number },
): TerminalFailure {
  return new TerminalFailure({
    code: "LEDGER_UNBALANCED",
    message: `output ${output}: ${rowsWritten} rows were sent to SQL Server, which says that it took ${rowsTaken} and counts ${rowsReadBack}`,
    hint: "Nothing was committed; retry the job, and report this if it happens again",
  });
}

function describe(
  { uri, mode, output }: OpenRequest,
  { schema, name }: TableName,
  fields: readonly ArrowField[],
): Pick<StagedOutput, "uri" | "mode" | "output" | "columns" | "target"> {
  return {
    uri: targetUri(uri),
    mode,
    output,
    columns: describeFields([...fields, ...lineageFields]),
    target: `${schema}.${name}`,
  };
}
