import type { Preview } from "../preview.ts";
import { literal } from "./python.ts";

/** How a plugin gets at the bytes of its file, whatever they are packed in. */
export interface Source {
  readonly imports: readonly string[];
  /** An expression: a path or an open file of bytes. */
  readonly bytes: string;
  /** Whether `bytes` is a plain path. */
  readonly isPath: boolean;
}

export function sourceOf({ packed }: Pick<Preview, "packed">): Source {
  if (packed === null) return { imports: [], bytes: "file_path", isPath: true };
  if (packed.as === "gzip") return { imports: ["import gzip"], bytes: "gzip.open(file_path)", isPath: false };
  const member = packed.members.length === 1 ? "zipfile.ZipFile(file_path).namelist()[0]" : literal(packed.member);
  return { imports: ["import zipfile"], bytes: `zipfile.ZipFile(file_path).open(${member})`, isPath: false };
}

/** Reads text: an expression for an open file of lines, and what it needs. */
export function textSource(preview: Preview): {
  readonly imports: readonly string[];
  readonly text: string;
  readonly helper: readonly string[];
} {
  const { imports, bytes, isPath } = sourceOf(preview);
  const encoding = preview.text?.encoding;
  const python = encoding?.python ?? "utf-8";
  if (encoding?.sure === "mixed") {
    const opened = isPath ? `open(${bytes}, "rb")` : bytes;
    return { imports: [...imports, "import io"], text: `io.StringIO(mend(${opened}))`, helper: mend };
  }
  if (isPath) return { imports, text: `open(${bytes}, encoding=${literal(python)})`, helper: [] };
  return { imports: [...imports, "import io"], text: `io.TextIOWrapper(${bytes}, encoding=${literal(python)})`, helper: [] };
}

/** For files in which lines of two encodings stand side by side. */
export const mend: readonly string[] = [
  "def mend(file) -> str:",
  '    """Lines that are no UTF-8 are windows-1252. The whole file is held in memory for it."""',
  "    lines = []",
  "    for line in file:",
  "        try:",
  '            lines.append(line.decode("utf-8"))',
  "        except UnicodeDecodeError:",
  '            lines.append(line.decode("cp1252", "replace"))',
  '    return "".join(lines)',
];
