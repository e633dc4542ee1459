import { readdir, readFile, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, extname, join, parse, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf, WrongUse } from "../domain/failure.ts";
import { closest } from "../domain/suggest.ts";
import { errorCode } from "../domain/system-error.ts";
import { isOutputName } from "../domain/topic.ts";

/** Plugins that come with the product, one file each. */
const examples = fileURLToPath(new URL("../examples/", import.meta.url));

export interface NewPlugin {
  /** Its file, which was written. */
  readonly path: string;
  readonly name: string;
  /** The example that it is a copy of. */
  readonly like: string | null;
  /** Whether it is for files that nobody has named, so that its pattern is a guess. */
  readonly isGuess: boolean;
}

/**
 * Writes the file of a new plugin that works as it is: of its own, for files like the one given, or a copy of an example.
 * Throws WrongUse for a name that can't be one, an example that there isn't, and where the file is there already.
 */
export async function newPlugin(request: {
  /** A name, or the path of the file with or without `.py`. */
  readonly name: string;
  readonly folder: string;
  /** A file of the kind that it is for. */
  readonly on?: string | undefined;
  readonly like?: string | undefined;
}): Promise<NewPlugin> {
  const path = resolve(request.folder, request.name.endsWith(".py") ? request.name : `${request.name}.py`);
  const { name } = parse(path);
  if (!isOutputName(name) || /^\d|[.-]/.test(name))
    throw new WrongUse(
      `"${name}" can't be the name of a plugin's file`,
      "Use letters, digits and _, with no digit first: it becomes an output's name",
    );
  const ending = extname(request.on ?? "");
  const text = request.like === undefined ? template(name, ending === "" ? ".csv" : ending) : await exampleText(request.like);
  await writeNew(path, text);
  return { path, name, like: request.like ?? null, isGuess: request.on === undefined && request.like === undefined };
}

/** Writes a file that isn't there. Throws WrongUse where it is, or where it can't be written. */
export async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx" });
  } catch (error) {
    if (errorCode(error) === "EEXIST") throw new WrongUse(`${path} is there already, and is never overwritten`, "Give another name");
    throw new WrongUse(`${path} can't be written: ${messageOf(error)}`);
  }
}

/** The names of the examples, such as `csv`. */
export async function listExamples(): Promise<readonly string[]> {
  if (!existsSync(examples)) return [];
  const names = await readdir(examples);
  return names
    .filter((name) => name.endsWith(".py") && !name.startsWith("_"))
    .map((name) => basename(name, ".py"))
    .toSorted();
}

async function exampleText(asked: string): Promise<string> {
  const known = await listExamples();
  const wanted = asked.replace(/\.py$/, "");
  // `fix` also means fix_log.py where it is the only one that begins so.
  const near = known.filter((name) => name.startsWith(wanted));
  const found = known.includes(wanted) ? wanted : near.length === 1 ? near[0]! : undefined;
  if (found !== undefined) return readFile(join(examples, `${found}.py`), "utf8");
  const meant = closest(wanted, known);
  const list = known.length === 0 ? "None come with this program" : `There are ${known.join(", ")}`;
  throw new WrongUse(`there is no example "${asked}"${meant === null ? "" : `, did you mean ${meant}?`}`, list);
}

function template(name: string, ending: string): string {
  return `# /// script
# dependencies = ["pandas", "pyarrow"]
# ///
"""What this plugin reads, and what it makes of it: say it here."""

import pandas as pd

MANIFEST = {
    "pattern": "*${ending}",  # the files that it takes
    "topic": "${name}",  # the name of what it yields
}


class Handler:
    def execute(self, file_path: str):
        # One file comes in, tables go out: pandas, pyarrow, polars, or a list of dicts.
        # In parts, so that a file may be larger than memory; name the types, so that all parts have the same.
        for part in pd.read_csv(file_path, dtype="string", chunksize=50_000):
            yield part

        # Rows that are wrong are set aside, not lost:
        # yield "_quarantine", [{"_cf_reason": "no price", "_cf_position": "line 7", "text": line}]
        # Another output:
        # yield "totals", [{"rows": 12}]
`;
}
