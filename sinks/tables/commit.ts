import { TerminalFailure } from "../../domain/failure.ts";
import type { SinkMode } from "../../domain/topic.ts";
import type { StagedOutput } from "../sink.ts";
import { stagedOf, type StagedTable } from "./staged.ts";
import type { TableName } from "./table-name.ts";

/** A staged result that is to become visible. */
export interface Commit extends StagedTable {
  readonly mode: SinkMode;
  /** Results of the same table whose place it takes. */
  readonly replaced: readonly string[];
}

/** Throws TerminalFailure STAGED_LOST for what another sink staged. */
export function commitOf(output: StagedOutput, replaced: readonly StagedOutput[]): Commit {
  return { ...stagedOf(output), mode: output.mode, replaced: replaced.map((other) => stagedOf(other).result) };
}

/** Throws TerminalFailure STAGED_LOST where other rows were found than were staged. */
export function checkInserted({ name }: Commit, inserted: number | null, staged: number | null): void {
  if (inserted === staged) return;
  throw new TerminalFailure({
    code: "STAGED_LOST",
    message: `the staged result ${name} has ${inserted} rows where ${staged} were staged`,
    hint: "Somebody changed it; retry the job to write it again",
  });
}

/** Neither staged rows nor a commit marker are there. */
export function lost({ name, table }: Commit, place: string): TerminalFailure {
  return new TerminalFailure({
    code: "STAGED_LOST",
    message: `the staged result ${name} for ${table.schema}.${table.name} is no longer at ${place}, and was not committed`,
    hint: "Somebody removed it, or the connection leads to another database now; retry the job to write it again",
  });
}

/** One of several outputs of a job is to be replaced in a table. */
export function inseparable({ schema, name }: TableName, jobId: string, scheme: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_TABLE_SHARED",
    message: `${schema}.${name} holds rows of several outputs of job ${jobId}, and only one of them is to be replaced: rows say their job and not their output`,
    hint: `Give each output a table of its own: casparian topic set PLUGIN OUTPUT ${scheme}://…; then retry the job`,
  });
}
