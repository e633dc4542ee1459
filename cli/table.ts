import { printable } from "./format.ts";
import type { Style, Terminal } from "./terminal.ts";

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  /** Numbers go to the right. */
  readonly align?: "left" | "right";
  /** What may be left out where the terminal is too narrow: the middle of a path, the end of a message. */
  readonly shorten?: "middle" | "end";
  readonly style?: (row: Row) => Style | null;
  /** Left out where no row has a value. */
  readonly optional?: boolean;
}

/** Columns under their titles, two spaces apart, within the terminal's width where some of them may be shortened. */
export function renderTable<Row>(terminal: Terminal, allColumns: readonly Column<Row>[], rows: readonly Row[]): string {
  const columns = allColumns.filter((column) => column.optional !== true || rows.some((row) => column.value(row) !== ""));
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = fit(columns, naturalWidths(columns, rows), terminal.width);
  const line = (texts: readonly string[], style: (i: number) => Style | null): string =>
    texts
      .map((text, i) => {
        const padded = pad(shorten(text, widths[i]!, columns[i]!.shorten), widths[i]!, columns[i]!.align);
        const chosen = style(i);
        return chosen === null ? padded : terminal.paint(chosen, padded);
      })
      .join("  ")
      .trimEnd();
  const header = line(
    columns.map((column) => column.title),
    () => "bold",
  );
  return [header, ...cells.map((texts, r) => line(texts, (i) => columns[i]!.style?.(rows[r]!) ?? null))].join("\n");
}

/** Letter for letter for a program; on a terminal, which it might change, with control characters spelled out. */
export function asStored({ width }: Pick<Terminal, "width">, text: string): string {
  return width === Infinity ? text : printable(text, { keepLines: true });
}

/** How wide each column is when nothing is shortened. */
export function naturalWidths<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): readonly number[] {
  return columns.map((column) =>
    rows.reduce((width, row) => Math.max(width, displayWidth(printable(column.value(row)))), displayWidth(column.title)),
  );
}

/** Below this a shortened column says nothing any more. */
export const widthMin = 12;

/** Takes from the widest column that may be shortened until all fit, or nothing more can be taken. */
function fit<Row>(columns: readonly Column<Row>[], natural: readonly number[], available: number): readonly number[] {
  const widths = [...natural];
  let excess = widths.reduce((sum, width) => sum + width + 2, -2) - available;
  while (excess > 0) {
    const shrinkable = columns.map((column, i) => (column.shorten === undefined || widths[i]! <= widthMin ? 0 : widths[i]!));
    const widest = shrinkable.indexOf(Math.max(...shrinkable));
    if (shrinkable[widest] === 0) break;
    const second = Math.max(widthMin, ...shrinkable.filter((width, i) => i !== widest && width < widths[widest]!));
    const taken = Math.min(excess, Math.max(1, widths[widest]! - second));
    widths[widest] = widths[widest]! - taken;
    excess -= taken;
  }
  return widths;
}

function shorten(text: string, width: number, where: "middle" | "end" | undefined): string {
  if (where === undefined || displayWidth(text) <= width) return text;
  const characters = [...segmenter.segment(text)].map(({ segment }) => segment);
  // The end of a path says more than its beginning.
  const head = where === "end" ? width - 1 : Math.floor((width - 1) / 3);
  return `${take(characters, head)}…${where === "end" ? "" : take(characters.toReversed(), width - 1 - head, true)}`;
}

function take(characters: readonly string[], width: number, reversed = false): string {
  const taken: string[] = [];
  let used = 0;
  for (const character of characters) {
    used += displayWidth(character);
    if (used > width) break;
    taken.push(character);
  }
  return (reversed ? taken.toReversed() : taken).join("");
}

function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const space = " ".repeat(Math.max(0, width - displayWidth(text)));
  return align === "left" ? text + space : space + text;
}

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
// Scripts and symbols that a terminal draws two columns wide (Unicode TR 11, W and F, by block).
const wide = /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|^\p{Emoji_Presentation}/u;

function displayWidth(text: string): number {
  // eslint-disable-next-line no-control-regex -- plain ASCII is the usual case
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}
