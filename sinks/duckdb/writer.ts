import { dirname } from "node:path";
import { stat } from "node:fs/promises";
import type { ArrowMessage } from "../../domain/arrow.ts";
import { TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import { openMessage, readingArrow } from "../../arrow/message.ts";
import { readSchema } from "../../arrow/schema.ts";
import { describeFields, type ArrowField } from "../../arrow/type.ts";
import { lineageFields } from "../columns.ts";
import { onFiles } from "../files/refusal.ts";
import { createStaging, removeStaging, syncFolders } from "../files/staging.ts";
import { stagedName } from "../files/target.ts";
import type { TableName } from "../tables/table-name.ts";
import type { OpenRequest, SinkWriter, StagedOutput } from "../sink.ts";
import { targetUri } from "../tables/keep.ts";
import { describeStaged } from "../tables/staged.ts";
import { createWriterLife } from "../writer-life.ts";
import { uriOf } from "./address.ts";
import { targetColumns, type TargetColumn } from "./columns.ts";
import { isThere, withDatabase, type Database } from "./database.ts";
import { scratchOf } from "./engine.ts";
import type { About, Question, StagePool } from "./stage-pool.ts";
import { planTable } from "./table.ts";

export interface WriterOptions {
  readonly request: OpenRequest;
  readonly database: Database;
  readonly table: TableName;
  readonly pool: StagePool;
  /** Called once, when the writer takes no more. */
  readonly onEnd: () => void;
}

/**
 * Writes one output into a database file of its own beside the target, in the folder `_casparian_staging`. The target is not held open, so that
 * others may use it until the commit.
 */
export async function createWriter({ request, database, table, pool, onEnd }: WriterOptions): Promise<SinkWriter> {
  const { fields } = readingArrow(`the schema of ${request.output}`, () => readSchema(openMessage(request.schema.bytes).header));
  const columns = targetColumns(fields);
  await lookAhead(database, table, columns);
  const folder = dirname(database.path);
  const writer = pool.newWriter();
  const ask = (question: Part, transfer?: readonly ArrayBuffer[]): Promise<number> =>
    pool.ask({ ...question, writer, doing: `${database.path}: rows for ${table.schema}.${table.name} can't be staged` }, transfer);
  const schema = { ...request.schema, bytes: new Uint8Array(request.schema.bytes) };
  const name = stagedName(request, ".duckdb");
  const { path, oldFolder } = await createStaging(folder, name, async (file, topFolder) => {
    await ask({ kind: "open", path: file, schema, columns }).catch(missingFolder);
    return { path: file, oldFolder: topFolder };
  }).catch(async (error: unknown) => {
    await removeStaging(folder, name).catch(() => {});
    throw error;
  });
  let sending: Promise<unknown> = Promise.resolve();
  let rowsWritten = 0;

  const life = createWriterLife(request, async (from) => {
    if (from === "open") {
      onEnd();
      await sending.catch(() => {});
      await ask({ kind: "abort" }).catch(() => {});
    }
    await removeStaging(folder, name);
  });

  return {
    write: (message: ArrowMessage) =>
      life.whileOpen(async () => {
        if (message.kind === "schema") return;
        const bytes = new Uint8Array(message.bytes);
        // One message is laid out while the next is received; its failure is the next call's.
        await sending;
        sending = ask({ kind: "write", message: { ...message, bytes } }, [bytes.buffer]).then((rows) => (rowsWritten += rows));
        sending.catch(() => {});
      }),
    stage: () =>
      life.whileOpen(async () => {
        await sending;
        const rowsReadBack = await ask({ kind: "stage", about: aboutOf(request, columns) });
        const sizeBytes = await onFiles(`${path} can't be made durable`, async () => {
          await syncFolders(dirname(path), oldFolder);
          return (await stat(path)).size;
        });
        life.setStaged();
        onEnd();
        const staged = describeStaged(request, name, table);
        return { ...describe(request, fields), staged, target: uriOf(database.path, table), rowsWritten, rowsReadBack, sizeBytes };
      }),
    abort: life.abort,
  };
}

type Part = Question extends infer One ? (One extends Question ? Omit<One, "writer" | "doing"> : never) : never;

/** What the commit would refuse is told before any row, unless another has the file open at the moment. */
async function lookAhead(database: Database, table: TableName, columns: readonly TargetColumn[]): Promise<void> {
  if (!(await isThere(database))) return;
  const use = { access: "read", scratch: scratchOf(database.path) } as const;
  try {
    await withDatabase({ ...database, lockMsMax: 0 }, `${table.schema}.${table.name} can't be looked at`, use, (engine) =>
      planTable(engine, table, columns),
    );
  } catch (error) {
    if (!(error instanceof TransientFailure)) throw error;
  }
}

/** In words of the operating system, for whoever makes folders again. */
function missingFolder(error: unknown): never {
  const isMissing = error instanceof TerminalFailure && error.message.endsWith("No such file or directory");
  throw isMissing ? Object.assign(new Error(error.message, { cause: error }), { code: "ENOENT", syscall: "open" }) : error;
}

function aboutOf({ output, jobId, lineage }: OpenRequest, columns: readonly TargetColumn[]): About {
  const { sourceHash, fileVersionId, processedAt, pluginVersion } = lineage;
  return { output, jobId, sourceHash, fileVersionId, processedAtMs: processedAt.getTime(), pluginVersion, columns };
}

function describe(
  { uri, mode, output }: OpenRequest,
  fields: readonly ArrowField[],
): Pick<StagedOutput, "uri" | "mode" | "output" | "columns"> {
  return {
    uri: targetUri(uri),
    mode,
    output,
    columns: describeFields([...fields, ...lineageFields]),
  };
}
