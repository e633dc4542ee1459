import { parentPort } from "node:worker_threads";
import { messageOf, TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import { asSinkFailure } from "./refusal.ts";
import { createStagedTable, type StagedTable } from "./staged-table.ts";
import type { Answer, Question } from "./stage-pool.ts";

/** Those that are being written, by the number of their writer. */
const tables = new Map<number, StagedTable>();

parentPort?.on("message", (question: Question) => {
  void answerTo(question).then((answer) => parentPort?.postMessage(answer));
});

async function answerTo(question: Question): Promise<Answer> {
  const { writer } = question;
  try {
    if (question.kind === "open") {
      tables.set(writer, await createStagedTable(question));
      return { rows: 0 };
    }
    const table = tables.get(writer);
    if (question.kind === "abort") {
      tables.delete(writer);
      table?.close();
      return { rows: 0 };
    }
    if (table === undefined)
      throw new TransientFailure({ code: "SINK_UNREACHABLE", message: "what was staged in DuckDB was lost with its thread" });
    if (question.kind === "write") return { rows: await table.write(question.message) };
    tables.delete(writer);
    return { rows: await table.finish(question.about) };
  } catch (error) {
    tables.get(writer)?.close();
    tables.delete(writer);
    return { failure: failureOf(asSinkFailure(question.doing, error)) };
  }
}

function failureOf(error: unknown): Extract<Answer, { failure: unknown }>["failure"] {
  if (!(error instanceof TerminalFailure || error instanceof TransientFailure))
    return {
      code: "SINK_ENCODING",
      message: `rows could not be staged in DuckDB: ${messageOf(error)}`,
      hint: undefined,
      data: {},
      passes: false,
    };
  const { code, message, hint, data } = error;
  return { code, message, hint, data, passes: error instanceof TransientFailure };
}
