import { extname } from "node:path";
import type { Preview } from "../preview.ts";
import { delimitedPlugin } from "./delimited.ts";
import { fixedWidthPlugin } from "./fixed-width.ts";
import { jsonPlugin } from "./json.ts";
import { columnarPlugin, excelPlugin, linesPlugin, xmlPlugin } from "./others.ts";
import type { PluginParts } from "./parts.ts";
import { comment, indent, literal } from "./python.ts";

/** The text of a plugin that reads a file like the one that was looked at; null where what it is gives no rows. */
export function writePlugin(preview: Preview, options: { readonly topic: string; readonly fileName: string }): string | null {
  const parts = partsOf(preview);
  if (parts === null) return null;
  const { dependencies, imports, constants, helpers, body } = parts;
  const looked = preview.sample.isWhole ? "all of it" : `its first ${preview.sample.bytes} bytes`;
  const block = dependencies === undefined ? [] : ["# /// script", `# dependencies = [${dependencies.map(literal).join(", ")}]`, "# ///"];
  const lines = [
    ...block,
    `"""Reads ${comment(options.fileName)} and files like it.`,
    "",
    `Written by \`casparian preview\`, which looked at ${looked}. Change it as you like.`,
    '"""',
    "",
    ...sorted(imports),
    "",
    `MANIFEST = {"pattern": ${literal(patternOf(options.fileName))}, "topic": ${literal(options.topic)}}`,
    ...(constants.length > 0 ? ["", ...constants] : []),
    ...helpers.flatMap((helper) => ["", "", ...helper]),
    "",
    "",
    "class Handler:",
    "    def execute(self, file_path: str):",
    ...indent(body, 8),
  ];
  return `${lines.join("\n")}\n`;
}

function partsOf(preview: Preview): PluginParts | null {
  const { content } = preview;
  switch (content.kind) {
    case "delimited":
      return delimitedPlugin(content, preview);
    case "json":
      return jsonPlugin(content, preview);
    case "fixed-width":
      return fixedWidthPlugin(content, preview);
    case "xml":
      return content.row === null ? linesPlugin(preview) : xmlPlugin(content, preview);
    case "lines":
      return linesPlugin(preview);
    case "excel":
      return excelPlugin(content);
    case "parquet":
    case "arrow":
      return content.columns.length === 0 || preview.packed !== null ? null : columnarPlugin(content);
    default:
      return null;
  }
}

/** `data.csv.gz` and others like it: `*.csv.gz`. */
function patternOf(fileName: string): string {
  const ending = extname(fileName);
  const inner = /^\.(?:gz|zip)$/i.test(ending) ? extname(fileName.slice(0, -ending.length)) : "";
  return ending === "" ? fileName.replaceAll(/[*?[\]{}()!\\]/g, "?") : `*${inner}${ending}`;
}

/** Python's own first, then what is installed. */
function sorted(imports: readonly string[]): readonly string[] {
  const own = imports.filter((line) => !/pandas|pyarrow/.test(line)).toSorted();
  const installed = imports.filter((line) => /pandas|pyarrow/.test(line));
  return [...own, ...(own.length > 0 && installed.length > 0 ? [""] : []), ...installed];
}
