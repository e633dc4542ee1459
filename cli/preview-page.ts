import type { Preview } from "../control/preview-file.ts";
import { bytes, count, number, printable } from "./format.ts";
import { describeRows } from "./query-table.ts";
import { renderTable, type Column } from "./table.ts";
import type { Terminal } from "./terminal.ts";

type Content = Preview["content"];
type TypedColumn = Extract<Content, { readonly kind: "delimited" | "fixed-width" | "json" }>["columns"][number];

/** What a file is, for people: facts, columns, first rows, and what is in doubt. */
export function describePreview(terminal: Terminal, preview: Preview): string {
  const { content, text, packed, sample, sizeBytes, notices, known } = preview;
  const facts: readonly (readonly [string, string])[] = [
    ["kind", kindOf(content, known?.name ?? null)],
    ["packed", packed === null ? "" : packed.as === "gzip" ? "gzip" : zipWords(packed)],
    [
      "size",
      `${bytes(sizeBytes)}; ${sample.isWhole ? "looked at all of it" : `looked at the first ${bytes(sample.bytes)}: what comes later may differ (--sample)`}`,
    ],
    ["encoding", text === null ? "" : encodingWords(text.encoding)],
    ["line ends", text === null ? "" : lineEndWords(text.lineEnds)],
    ...factsOf(content),
  ];
  const lines = facts.filter(([, value]) => value !== "").map(([name, value]) => `${name.padEnd(10)} ${printable(value)}`);
  const body = bodyOf(terminal, content);
  const odd = notices.map((notice) => `${terminal.paint("yellow", "note:")} ${printable(notice)}`);
  return [...lines, ...(body.length === 0 ? [] : ["", ...body]), ...(odd.length === 0 ? [] : ["", ...odd])].join("\n");
}

function kindOf(content: Content, known: string | null): string {
  if (known !== null) return `${known}${content.kind === "lines" ? `, ${count(content.rows, "line")}` : ""}`;
  const rows = "rows" in content && content.rows !== null ? `, ${count(content.rows, "row")} in what was looked at` : "";
  switch (content.kind) {
    case "empty":
      return "empty";
    case "delimited":
      return `delimited text${rows}`;
    case "json":
      return `${{ array: "JSON, an array of objects", lines: "JSON, an object a line", object: "JSON, one object" }[content.layout]}${rows}`;
    case "xml":
      return `XML, ${content.root}${content.row === null ? "" : ` with ${count(content.rows, `element ${content.row}`, `elements ${content.row}`)}`}`;
    case "fixed-width":
      return `text of fixed width, by a guess${rows}`;
    case "lines":
      return `text of ${count(content.rows, "line")} without a form that is known here`;
    case "excel":
      return `Excel workbook with ${count(content.sheets.length, "sheet")}`;
    case "parquet":
    case "arrow":
      return `${content.kind === "parquet" ? "Parquet" : "Arrow file"}${content.rows === null ? "" : `, ${count(content.rows, "row")}`}`;
    default:
      return content.what === null
        ? `binary of a kind that is not known here; it begins with ${content.begins}`
        : `binary: ${content.what}`;
  }
}

function zipWords({ member, members }: Extract<NonNullable<Preview["packed"]>, { readonly as: "zip" }>): string {
  const others =
    members.length === 1
      ? ""
      : `; ${count(members.length, "member")}: ${members
          .slice(0, 5)
          .map(({ name }) => name)
          .join(", ")}${members.length > 5 ? ", …" : ""}`;
  return `zip, this is its member ${member}${others}. A source with --archives makes members files of their own`;
}

function encodingWords({ name, sure, reason, python }: NonNullable<Preview["text"]>["encoding"]): string {
  const how = sure === "certain" ? "" : sure === "guess" ? ", a guess" : ", mixed";
  return `${name}${how} (in Python ${python}): ${reason}`;
}

function lineEndWords({ crlf, lf, cr }: NonNullable<Preview["text"]>["lineEnds"]): string {
  const kinds = [
    [crlf, "CR LF (Windows)"],
    [lf, "LF (Unix)"],
    [cr, "CR (old Mac)"],
  ] as const;
  const some = kinds.filter(([amount]) => amount > 0);
  return some.length === 0 ? "none" : some.map(([amount, name]) => (some.length === 1 ? name : `${number(amount)} ${name}`)).join(", ");
}

function factsOf(content: Content): readonly (readonly [string, string])[] {
  switch (content.kind) {
    case "delimited":
      return [
        [
          "delimiter",
          `${delimiterWords(content.delimiter)}; ${content.quote === null ? "no field is quoted" : `fields may be quoted with ${content.quote}${content.newlinesInQuotes ? ", also over several lines" : ""}`}`,
        ],
        ["header", `${content.header ? "yes" : "no"}: ${content.headerReason}`],
        ["ragged", raggedWords(content)],
      ];
    case "fixed-width":
      return [["header", content.header ? "yes" : "no"]];
    case "json":
      return [["rows at", content.path.join(".")]];
    default:
      return [];
  }
}

function delimiterWords(delimiter: string): string {
  return (
    { ",": "comma", ";": "semicolon", "\t": "tab", "|": "bar |", "\u0001": "SOH (byte 01)", "\u001f": "unit separator (byte 1F)" }[
      delimiter
    ] ?? delimiter
  );
}

function raggedWords({ ragged, columns }: Extract<Content, { readonly kind: "delimited" }>): string {
  if (ragged.count === 0) return "";
  const shown = ragged.first.map(({ line, fields }) => `line ${line} (${fields})`).join(", ");
  return `${count(ragged.count, "row")} with other than ${count(columns.length, "field")}: ${shown}${ragged.count > ragged.first.length ? ", …" : ""}`;
}

function bodyOf(terminal: Terminal, content: Content): readonly string[] {
  switch (content.kind) {
    case "delimited":
    case "fixed-width":
    case "json":
      return [
        renderTable(terminal, typedColumns, content.columns),
        ...content.columns.flatMap(({ name, notes }) => notes.map((note) => `  ${printable(name)}: ${printable(note)}`)),
        "",
        rowsOf(terminal, content),
      ];
    case "parquet":
    case "arrow":
      return [renderTable(terminal, plainColumns, content.columns), "", rowsOf(terminal, content)];
    case "xml":
      return content.columns.length === 0 ? [] : [`${content.row} has ${content.columns.map((name) => printable(name)).join(", ")}`];
    case "excel":
      return [renderTable(terminal, sheetColumns, content.sheets)];
    case "lines":
      return content.first.map((line) =>
        printable(line.length > terminal.width ? `${line.slice(0, terminal.width - 1)}…` : line.slice(0, 2_000)),
      );
    default:
      return [];
  }
}

function rowsOf(terminal: Terminal, { columns, first, rows }: Extract<Content, { readonly columns: readonly { name: string }[] }>): string {
  if (first.length === 0) return "no row";
  const short = first.map((row) => row.map((value) => (value !== null && value.length > 200 ? `${value.slice(0, 199)}…` : value)));
  const shown = columns.map(({ name }) => ({ name, type: "", isNumber: false }));
  return describeRows(terminal, shown, { rows: short, total: rows ?? first.length }, "--rows");
}

const typedColumns: readonly Column<TypedColumn>[] = [
  { title: "COLUMN", value: ({ name }) => name, shorten: "middle" },
  { title: "TYPE", value: ({ type, arrow }) => (type.kind === "empty" ? "(no value)" : arrow) },
  { title: "WRITTEN", value: ({ type }) => (type.kind === "format" ? type.format : ""), optional: true },
  {
    title: "NULLS",
    value: ({ nulls, nullSpellings }) =>
      nulls === 0 ? "" : `${number(nulls)} (${nullSpellings.map((text) => (text === "" ? "empty" : text)).join(", ")})`,
    optional: true,
  },
  { title: "EXAMPLES", value: ({ examples }) => examples.slice(0, 3).join(", "), shorten: "end" },
];

const plainColumns: readonly Column<{ readonly name: string; readonly type: string }>[] = [
  { title: "COLUMN", value: ({ name }) => name },
  { title: "TYPE", value: ({ type }) => type, shorten: "end" },
];

const sheetColumns: readonly Column<Extract<Content, { readonly kind: "excel" }>["sheets"][number]>[] = [
  { title: "SHEET", value: ({ name }) => name },
  { title: "CELLS", value: ({ range }) => range ?? "" },
  { title: "HIDDEN", value: ({ isHidden }) => (isHidden ? "yes" : ""), optional: true },
];
