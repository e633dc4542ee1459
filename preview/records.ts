/** How a text's lines are divided into fields. */
export interface Dialect {
  readonly delimiter: string;
  /** A quote within quotes is written twice. */
  readonly quote: string | null;
}

export interface TextRecord {
  readonly fields: readonly string[];
  /** Of its first line, from 1. */
  readonly line: number;
}

export interface ParsedText {
  readonly records: readonly TextRecord[];
  readonly hasQuotes: boolean;
  readonly hasNewlinesInQuotes: boolean;
  /** Lines in which something follows a closing quote, or a quote stands in a field without quotes. */
  readonly strayQuotes: readonly number[];
  /** The line of a quote that nothing closes; null where there is none. */
  readonly openQuote: number | null;
}

const strayMax = 20;

/**
 * Divides a text into records (RFC 4180, with any delimiter, quote and line end); empty lines are left out. What is odd is counted and kept
 * as it is. `isWhole`: the last record is complete.
 */
export function parseRecords(text: string, { delimiter, quote }: Dialect, isWhole: boolean): ParsedText {
  const records: TextRecord[] = [];
  const strayQuotes: number[] = [];
  let [at, line] = [0, 1];
  let [hasQuotes, hasNewlinesInQuotes] = [false, false];
  let openQuote: number | null = null;

  function quotedField(): string {
    hasQuotes = true;
    const begun = line;
    let value = "";
    at += 1;
    for (;;) {
      const end = text.indexOf(quote!, at);
      if (end === -1) {
        openQuote ??= begun;
        value += text.slice(at);
        at = text.length;
        return value;
      }
      const piece = text.slice(at, end);
      value += piece;
      const breaks = countLines(piece);
      if (breaks > 0) hasNewlinesInQuotes = true;
      line += breaks;
      at = end + 1;
      if (text[at] !== quote) break;
      value += quote;
      at += 1;
    }
    const rest = plainField();
    if (rest.trim() !== "" && strayQuotes.length < strayMax) strayQuotes.push(line);
    return value + rest;
  }

  function plainField(): string {
    const from = at;
    while (at < text.length) {
      const letter = text[at];
      if (letter === delimiter || letter === "\n" || letter === "\r") break;
      at += 1;
    }
    return text.slice(from, at);
  }

  while (at < text.length) {
    const begun = line;
    const fields: string[] = [];
    for (;;) {
      if (quote !== null && text[at] === quote) fields.push(quotedField());
      else {
        const field = plainField();
        if (quote !== null && field.includes(quote) && strayQuotes.length < strayMax) strayQuotes.push(line);
        fields.push(field);
      }
      if (text[at] !== delimiter) break;
      at += 1;
    }
    const isEnded = at < text.length;
    if (text[at] === "\r" && text[at + 1] === "\n") at += 1;
    at += 1;
    line += 1;
    if (!isEnded && !isWhole) break;
    if (fields.length > 1 || fields[0] !== "") records.push({ fields, line: begun });
  }
  return { records, hasQuotes, hasNewlinesInQuotes, strayQuotes, openQuote };
}

function countLines(text: string): number {
  return text.match(/\r\n|\n|\r/g)?.length ?? 0;
}
