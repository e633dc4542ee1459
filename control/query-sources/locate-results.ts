import type { ResultRow } from "../../db/result.ts";
import { TerminalFailure, TransientFailure } from "../../domain/failure.ts";
import { readIdentity, type FileScheme, type Located } from "../../sinks/files/locate.ts";
import { locateResult } from "../../sinks/locate.ts";

export interface FoundResult {
  readonly result: ResultRow;
  /** What the result is known by. */
  readonly path: string;
  readonly files: readonly string[];
  /** By which columns the files lie in folders. */
  readonly partition: readonly string[];
  readonly isEmpty: boolean;
  /** Null for a file that keeps its name. */
  readonly identity: string | null;
}

/** Files that are looked at side by side. */
const lookingMax = 64;

/** The file of each result. Throws TerminalFailure OUTPUT_MISSING and OUTPUT_CHANGED that name job and file. */
export async function locateResults(
  scheme: FileScheme,
  results: readonly ResultRow[],
  home: string,
  signal: AbortSignal,
): Promise<readonly FoundResult[]> {
  const found: FoundResult[] = [];
  const lost: Lost[] = [];
  for (let from = 0; from < results.length; from += lookingMax) {
    signal.throwIfAborted();
    const some = results.slice(from, from + lookingMax);
    const located = await Promise.all(some.map((result) => locateResult(scheme, result, home)));
    located.forEach((place, i) => {
      if (place.path === null) lost.push({ result: some[i]!, place });
      else found.push({ result: some[i]!, ...place });
    });
  }
  if (lost.length > 0) throw missing(lost);
  return found;
}

/** Throws TransientFailure OUTPUT_OVERTAKEN where a file has another content than when it was located. */
export async function requireUnchanged(found: readonly FoundResult[]): Promise<void> {
  const passedOn = found.filter(({ identity }) => identity !== null);
  for (let from = 0; from < passedOn.length; from += lookingMax) {
    const some = passedOn.slice(from, from + lookingMax);
    const now = await Promise.all(some.map(({ path }) => readIdentity(path)));
    const changed = some.find(({ identity }, i) => identity !== now[i]);
    if (changed !== undefined) throw overtaken(changed);
  }
}

function overtaken({ result, path }: FoundResult): TransientFailure {
  return new TransientFailure({
    code: "OUTPUT_OVERTAKEN",
    message: `a newer result took the place of job ${result.jobId}'s in ${result.plugin}.${result.output} while it was read: ${path}`,
    hint: "Run the query again; what it has printed so far doesn't hold",
  });
}

export interface Lost {
  readonly result: ResultRow;
  readonly place: Extract<Located, { readonly path: null }>;
}

/** So many are named; the others are counted. */
const namedMax = 3;

/** Whatever could not be found, as one failure. */
export function missing(lost: readonly Lost[]): TerminalFailure {
  const isGone = lost.every(({ place }) => place.found === "nothing");
  const named = lost.slice(0, namedMax).map(({ result: { plugin, output, jobId }, place }) => {
    const what = place.found === "nothing" ? "is not there" : "is not the file that was written";
    return `${place.lookedAt}, with the rows of job ${jobId} in ${plugin}.${output}, ${what}`;
  });
  const others = lost.length > namedMax ? `, and ${lost.length - namedMax} more` : "";
  return new TerminalFailure({
    code: isGone ? "OUTPUT_MISSING" : "OUTPUT_CHANGED",
    message: `${named.join("; ")}${others}`,
    hint: `Somebody moved, deleted or changed what the record says is there: put it back. casparian jobs show ${lost[0]!.result.jobId} tells what it was`,
    data: { jobs: lost.map(({ result }) => result.jobId).slice(0, 100) },
  });
}
