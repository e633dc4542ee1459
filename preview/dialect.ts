import { parseRecords, type Dialect } from "./records.ts";

/** Space and colon are not among them: they divide logs and sentences, too. */
const delimiters = [",", ";", "\t", "|", "\u0001", "\u001f", "~", "^"] as const;
const lettersMax = 64 * 1024;
const consistencyMin = 0.8;

export interface FoundDialect extends Dialect {
  /** The share of records that have as many fields as most. */
  readonly consistency: number;
  readonly fields: number;
}

/**
 * The delimiter with which most records have the same count of fields and most fields look like values; null where there is none. An ending
 * that says so (`csv`, `tsv`) lets fewer records agree.
 */
export function findDialect(text: string, isWhole: boolean, ending: string): FoundDialect | null {
  const cut = text.length > lettersMax ? text.slice(0, lettersMax) : text;
  const isAll = isWhole && cut === text;
  const isNamed = ["csv", "tsv", "psv", "tab"].includes(ending);
  let best: (FoundDialect & { readonly score: number }) | null = null;
  for (const delimiter of delimiters) {
    if (!cut.includes(delimiter)) continue;
    for (const quote of ['"', "'"] as const) {
      if (quote === "'" && !isQuotedWith(cut, delimiter)) continue;
      const found = rate(cut, { delimiter, quote }, isAll, isNamed);
      if (found !== null && found.score > (best?.score ?? 0)) best = found;
    }
  }
  return best;
}

/** An apostrophe is a quote only where fields begin and end with it. */
function isQuotedWith(text: string, delimiter: string): boolean {
  if (text.includes('"')) return false;
  const between = RegExp.escape(delimiter);
  const opening = text.match(new RegExp(`(?:^|${between})'`, "gm"))?.length ?? 0;
  const closing = text.match(new RegExp(`'(?:\\r?$|${between})`, "gm"))?.length ?? 0;
  return opening > 1 && Math.abs(opening - closing) <= opening * 0.2;
}

function rate(text: string, dialect: Dialect, isWhole: boolean, isNamed: boolean): (FoundDialect & { readonly score: number }) | null {
  const { records, openQuote } = parseRecords(text, dialect, isWhole);
  if (records.length === 0) return null;
  const counts = new Map<number, number>();
  for (const { fields } of records) counts.set(fields.length, (counts.get(fields.length) ?? 0) + 1);
  const [fields, agreeing] = [...counts].filter(([count]) => count > 1).toSorted((a, b) => b[1] - a[1] || b[0] - a[0])[0] ?? [0, 0];
  const consistency = agreeing / records.length;
  if (fields < 2 || consistency < (isNamed ? 0.3 : consistencyMin)) return null;
  const cells = records.slice(0, 200).flatMap((record) => record.fields);
  if (!isNamed && records.length < 3 && looksLikeProse(cells)) return null;
  const clean = cells.filter((cell) => looksLikeValue(cell)).length / cells.length;
  const quoted = openQuote === null ? 1 : 0.5;
  const score = consistency ** 2 * (0.2 + clean) * quoted * (1 + Math.min(1, Math.log10(fields)));
  return { ...dialect, consistency, fields, score };
}

/** Hardly any value has another delimiter in it, but for commas. */
function looksLikeValue(cell: string): boolean {
  return ![";", "\t", "|", "\u0001", "\u001f"].some((delimiter) => cell.includes(delimiter));
}

function looksLikeProse(cells: readonly string[]): boolean {
  const [, ...others] = cells;
  return others.length > 0 && others.filter((cell) => /^ [A-Za-z]/.test(cell) || cell.length > 60).length > others.length / 2;
}
