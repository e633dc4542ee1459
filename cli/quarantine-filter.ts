import type { Command } from "commander";
import type { QuarantineFilter, QuarantineRow } from "../control/list-quarantine.ts";

export interface FilterOptions {
  readonly plugin?: string;
  readonly output?: string;
  readonly replaced?: boolean;
  readonly open?: boolean;
}

export function withFilter(command: Command): Command {
  return command
    .option("--plugin <name>", "only of this plugin")
    .option("--output <name>", "only of this output")
    .option("--open", "only rows that no replay has brought back")
    .option("--replaced", "also of results whose place others have taken");
}

export function filterOf({ plugin, output, open, replaced }: FilterOptions, jobId?: string): QuarantineFilter {
  return { jobId, plugin, output, isOpen: open, withReplaced: replaced ?? jobId !== undefined };
}

export function reasonText({ column, reason }: QuarantineRow["reasons"][number]): string {
  return column === null ? reason : `${column}: ${reason}`;
}
