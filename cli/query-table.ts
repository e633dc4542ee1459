import type { QueryColumn } from "../control/run-query.ts";
import { count, number, printable } from "./format.ts";
import { naturalWidths, renderTable, widthMin, type Column } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Rows as a table or, where the terminal is too narrow for all columns, one under the other; with the count of those that are not shown, and the
 * options that show more.
 */
export function describeRows(
  terminal: Terminal,
  columns: readonly QueryColumn[],
  { rows, total }: { readonly rows: readonly (readonly (string | null)[])[]; readonly total: number },
  options = "--limit, --format csv",
): string {
  const more = total > rows.length ? [`… and ${number(total - rows.length)} more (${options})`] : [];
  const body =
    rows.length === 0 ? [] : fits(terminal, columns, rows) ? [asTable(terminal, columns, rows)] : [asRecords(terminal, columns, rows)];
  if (rows.length === 0 && columns.length > 0) body.push(asTable(terminal, columns, []));
  return [...body, ...more, `(${count(total, "row")})`].join("\n");
}

type TextRow = readonly (string | null)[];

function asTable(terminal: Terminal, columns: readonly QueryColumn[], rows: readonly TextRow[]): string {
  return renderTable(terminal, tableColumns(columns), rows);
}

function tableColumns(columns: readonly QueryColumn[]): readonly Column<TextRow>[] {
  return columns.map(({ name, isNumber }, i) => ({
    title: printable(name),
    value: (row) => row[i] ?? "",
    align: isNumber ? "right" : "left",
    // Part of a number would be another number.
    ...(isNumber ? {} : { shorten: "middle" }),
  }));
}

function fits(terminal: Terminal, columns: readonly QueryColumn[], rows: readonly TextRow[]): boolean {
  const least = naturalWidths(tableColumns(columns), rows).map((width, i) => (columns[i]!.isNumber ? width : Math.min(width, widthMin)));
  return least.reduce((sum, width) => sum + width + 2, -2) <= terminal.width;
}

/** As psql does it when a row is wider than the screen. */
function asRecords(terminal: Terminal, columns: readonly QueryColumn[], rows: readonly TextRow[]): string {
  const names = columns.map(({ name }) => printable(name));
  const width = Math.max(...names.map((name) => name.length));
  return rows
    .map((row, r) =>
      [
        terminal.paint("bold", `── row ${r + 1} `.padEnd(width + 4, "─")),
        ...row.map((value, i) => `${names[i]!.padEnd(width)}  ${printable(value ?? "")}`.trimEnd()),
      ].join("\n"),
    )
    .join("\n");
}
