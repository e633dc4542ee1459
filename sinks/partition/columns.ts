import type { ArrowSchema } from "../../arrow/schema.ts";
import { typeName, type ArrowField } from "../../arrow/type.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import { ownLevels } from "./address.ts";

/** The columns of an output by their places: those that become folders, in the order of the URI, and those that stay in the files. */
export interface PartitionedColumns {
  readonly folders: readonly number[];
  readonly files: readonly number[];
}

/** Throws TerminalFailure SINK_COLUMNS and SINK_TYPE that name the column, before any row. */
export function partitionedColumns({ fields }: ArrowSchema, partition: readonly string[]): PartitionedColumns {
  const folders = partition.map((name) => {
    const at = fields.findIndex((field) => field.name === name);
    if (at < 0)
      throw refused(name, `is not among the output's: ${listed(fields)}`, "Correct the topic's URI, or yield the column in the plugin");
    if (!mayPartition(fields[at]!)) throw wrongType(fields[at]!);
    return at;
  });
  const files = fields.map((_, at) => at).filter((at) => !folders.includes(at));
  if (files.length === 0) throw refused(partition.join('", "'), "leaves no other for the files", "Partition by fewer columns");
  const reserved = new Set([...ownLevels, ...partition.map((name) => name.toLowerCase())]);
  // Readers have no regard to case, and the folder's value would hide the file's.
  const hidden = files.map((at) => fields[at]!).find(({ name }) => reserved.has(name.toLowerCase()));
  if (hidden !== undefined)
    throw new TerminalFailure({
      code: "SINK_COLUMNS",
      message: `the plugin's column "${hidden.name}" has the name of a level of the partitioned folder, but for upper and lower case`,
      hint: `Rename it in the plugin: the levels are ${[...ownLevels, ...partition].join(", ")}`,
      data: { column: hidden.name },
    });
  return { folders, files };
}

/** Types with one text for each value, which readers turn back into the value. */
function mayPartition({ type, dictionary, children }: ArrowField): boolean {
  if (dictionary !== undefined && children.length > 0) return false;
  return ["string", "large_string", "string_view", "int", "bool", "date", "null"].includes(type.kind);
}

function wrongType(field: ArrowField): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_TYPE",
    message: `column "${field.name}" is of type ${typeName(field)}, by which rows can't be partitioned`,
    hint: "Partition by a column of strings, whole numbers, dates or booleans; make one in the plugin, such as the date of a time",
    data: { column: field.name, type: typeName(field) },
  });
}

function refused(column: string, why: string, hint: string): TerminalFailure {
  return new TerminalFailure({
    code: "SINK_COLUMNS",
    message: `the column "${column}", by which the topic is partitioned, ${why}`,
    hint,
    data: { column },
  });
}

const listedMax = 20;

function listed(fields: readonly ArrowField[]): string {
  const names = fields.slice(0, listedMax).map(({ name }) => name);
  return `${names.join(", ")}${fields.length > listedMax ? `, and ${fields.length - listedMax} more` : ""}`;
}
