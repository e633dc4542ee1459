import { createBatchReader, type Column } from "../arrow/column.ts";
import { readingArrow } from "../arrow/message.ts";
import { jsonReader, textReader } from "../arrow/text.ts";
import type { ArrowMessage } from "../domain/arrow.ts";
import type { RejectedRow } from "../domain/contract.ts";
import { TerminalFailure } from "../domain/failure.ts";

const prefix = "_quarantine";

/** Whose rows an output's name sets aside: `_quarantine.trades` those of `trades`, `_quarantine` those of the plugin's own; null for others. */
export function setsAside(output: string, defaultOutput: string): string | null {
  if (output === prefix) return defaultOutput;
  return output.startsWith(`${prefix}.`) ? output.slice(prefix.length + 1) : null;
}

/** Columns that say why and where; all others are the row as it was. */
const [reasonName, columnName, positionName] = ["_cf_reason", "_cf_column", "_cf_position"] as const;

/** Reads the rows that a plugin itself sets aside. Throws TerminalFailure QUARANTINE_REASON where the rows don't say why. */
export function createSetAside(schema: ArrowMessage, output: string): (message: ArrowMessage) => readonly RejectedRow[] {
  const reader = createBatchReader(schema);
  if (!reader.schema.fields.some(({ name }) => name === reasonName)) throw noReason(output);
  let rowsBefore = 0;
  return (message) => readingArrow(`a ${message.kind} of output ${output}`, () => read(message));

  function read(message: ArrowMessage): readonly RejectedRow[] {
    const batch = reader.read(message);
    if (batch === null) return [];
    const find = (name: string): ((row: number) => string | null) => {
      const column = batch.columns.find(({ field }) => field.name === name);
      return column === undefined ? () => null : textReader(column);
    };
    const [reason, about, position] = [find(reasonName), find(columnName), find(positionName)];
    const json = jsonRow(batch.columns.filter(({ field }) => ![reasonName, columnName, positionName].includes(field.name as never)));
    const rows = Array.from({ length: batch.rows }, (_, row): RejectedRow => {
      const why = { column: storable(about(row)), reason: storable(reason(row)) ?? "the plugin gave no reason" };
      const rowNumber = rowsBefore + row + 1;
      return { origin: "PLUGIN", rowNumber, filePosition: storable(position(row)), reasons: [why], raw: json(row) };
    });
    rowsBefore += batch.rows;
    return rows;
  }
}

function jsonRow(columns: readonly Column[]): (row: number) => string {
  const members = columns.map((column) => [JSON.stringify(column.field.name), jsonReader(column)] as const);
  return (row) => `{${members.map(([name, json]) => `${name}:${json(row)}`).join(",")}}`;
}

/** PostgreSQL keeps no zero character. */
function storable(text: string | null): string | null {
  return text === null ? null : text.replaceAll("\0", "�");
}

function noReason(output: string): TerminalFailure {
  return new TerminalFailure({
    code: "QUARANTINE_REASON",
    message: `the rows that the plugin yields as ${output} have no column ${reasonName}`,
    hint: `Add a column ${reasonName} that says why each row is set aside; ${columnName} and ${positionName} may say in which column and where in the file`,
  });
}

/** A result has columns, so an output that rows are set aside from must be there, if only without rows. `plugin` is for the message. */
export function asideOfNothing(output: string, plugin: string, known: readonly string[]): TerminalFailure {
  return new TerminalFailure({
    code: "QUARANTINE_WITHOUT_OUTPUT",
    message: `${plugin} sets rows aside from output ${output}, and has not yielded it`,
    hint:
      known.length > 0
        ? `Its outputs are ${known.join(", ")}: name one of them, like ("_quarantine.${known[0]}", rows)`
        : `Yield ${output} also where no row of a file is good: a table with its columns and no rows, such as table.slice(0, 0)`,
  });
}
