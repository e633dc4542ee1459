import { Command } from "commander";
import { jsonValue, runSql, type QueryResult } from "../control/run-sql.ts";
import { WrongUse } from "../domain/failure.ts";
import { withExamples } from "./examples.ts";
import { count } from "./format.ts";
import { readArgument } from "./read-argument.ts";
import { csvLine, distinctNames } from "./row-text.ts";
import { withSession } from "./session.ts";
import type { Shell } from "./shell.ts";
import { renderTable, type Column } from "./table.ts";

export function createCommand(shell: Shell): Command {
  const command = new Command("sql")
    .description("Runs one SQL statement on the record and changes nothing: in a read-only transaction, as a user who can only read.")
    .argument("<statement>", "a select; or @FILE with it, or @- for stdin")
    .option("--csv", "print comma-separated values with a header")
    .action(async (statement: string, options: { readonly csv?: boolean }) => {
      if (options.csv === true && shell.terminal.json) throw new WrongUse("both --json and --csv are given", "Give one of them");
      const text = await readArgument(statement, shell.signal);
      await withSession(shell, {}, async (session) => {
        const result = await runSql(session.urls.databaseReader, text, shell.signal);
        if (options.csv === true) return shell.terminal.print(toCsv(result));
        shell.terminal.show(toObjects(result), () => toTable(shell, result));
      });
    });
  return withExamples(command, {
    [`casparian sql "select state, count(*) from cf_processing_job group by state"`]: "",
    "casparian sql @audit.sql --csv > audit.csv": "",
    [`casparian sql "select * from cf_audit order by id desc limit 20"`]: "who did what",
  });
}

function toObjects({ columns, rows }: QueryResult): readonly Readonly<Record<string, unknown>>[] {
  const names = distinctNames(columns.map(({ name }) => name));
  return rows.map((row) => Object.fromEntries(row.map((value, i) => [names[i]!, jsonValue(value, columns[i]!.typeOid)])));
}

function toTable(shell: Shell, { columns, rows }: QueryResult): string {
  if (columns.length === 0) return "";
  const shown = columns.map((column, i): Column<(typeof rows)[number]> => ({
    title: column.name,
    value: (row) => row[i] ?? "",
    align: numeric.has(column.typeOid) ? "right" : "left",
    shorten: "middle",
  }));
  return `${renderTable(shell.terminal, shown, rows)}\n(${count(rows.length, "row")})`;
}

/** Integers, floats, numeric and oid in pg_type. */
const numeric: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700]);

function toCsv({ columns, rows }: QueryResult): string {
  return [columns.map(({ name }) => name), ...rows].map(csvLine).join("\n");
}
