import { mkdir, mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { removeFolder } from "../../bridge/scratch.ts";
import { TerminalFailure } from "../../domain/failure.ts";
import type { ComparisonOptions, FileComparison, OutputComparison, Sides } from "../../domain/comparison.ts";
import type { TrialInput } from "../inputs.ts";
import { tryFile, type FileTrial, type TrialBench, type TrialPlugin } from "../try-file.ts";
import { differRows } from "./differ-rows.ts";
import { openEngine } from "./engine.ts";
import { createSideWriter, type Side, type SideOutput } from "./side.ts";

export interface CompareBench extends Omit<TrialBench, "keeper" | "rowsShown" | "scratchDir"> {
  /** There; what is made in it is removed. */
  readonly folder: string;
  readonly options: ComparisonOptions;
  /** Which version reads the file first: the other one finds it in the system's cache. */
  readonly first: "before" | "after";
}

/** What both versions made of one file. */
export interface ComparedFile extends Pick<FileComparison, "failures" | "timing"> {
  readonly outcome: "same" | "different" | "failed";
  /** Empty where one of them failed. */
  readonly outputs: readonly OutputComparison[];
}

/** Runs two versions of a plugin over one file and compares all that they make of it. Rejects with the signal's reason, and for defects. */
export async function compareFile(
  plugins: Sides<TrialPlugin>,
  input: TrialInput,
  name: string,
  bench: CompareBench,
): Promise<ComparedFile> {
  const folder = await mkdtemp(join(bench.folder, "file-"));
  try {
    const run = (side: "before" | "after"): Promise<Ran> => runSide(plugins[side], input, join(folder, side), bench);
    const first = await run(bench.first);
    const second = await run(bench.first === "before" ? "after" : "before");
    const [before, after] = bench.first === "before" ? [first, second] : [second, first];
    return await compareSides({ before, after }, name, folder, bench);
  } finally {
    await removeFolder(folder);
  }
}

interface Ran {
  readonly trial: FileTrial;
  readonly side: Side;
}

async function runSide(plugin: TrialPlugin, input: TrialInput, folder: string, bench: CompareBench): Promise<Ran> {
  const rows = join(folder, "rows");
  await mkdir(rows, { recursive: true, mode: 0o700 });
  const writer = createSideWriter(rows);
  try {
    // One folder for the scratch of all runs, because those share a warm process.
    const scratchDir = join(bench.folder, "scratch", plugin.artifactHash);
    const { pool, limits, signal } = bench;
    const trial = await tryFile(plugin, input, { pool, limits, signal, rowsShown: 0, scratchDir, keeper: writer.keeper });
    return { trial, side: await writer.finish() };
  } finally {
    await writer.close();
  }
}

async function compareSides(ran: Sides<Ran>, path: string, folder: string, bench: CompareBench): Promise<ComparedFile> {
  const failures = { before: failureOf(ran.before), after: failureOf(ran.after) };
  const timing = { before: ran.before.trial.timing?.plugin ?? null, after: ran.after.trial.timing?.plugin ?? null };
  if (failures.before !== null && failures.after !== null) return { outcome: "failed", failures, timing, outputs: [] };
  if (failures.before !== null || failures.after !== null) return { outcome: "different", failures, timing, outputs: [] };
  const engine = await openEngine(join(folder, "duckdb"), bench.signal);
  try {
    const names = (side: Ran): readonly string[] => [...side.side.outputs.keys(), ...side.trial.setAside.map(({ output }) => output)];
    const outputs: OutputComparison[] = [];
    for (const output of new Set([...names(ran.before), ...names(ran.after)])) {
      const sides = { before: ran.before.side.outputs.get(output), after: ran.after.side.outputs.get(output) };
      const rows = { before: rowsOf(ran.before, output), after: rowsOf(ran.after, output) };
      const { before, after } = sides;
      const differing = await (before === undefined || after === undefined
        ? onlyOne(rows)
        : differRows(engine, { before, after, rows: { before: rows.before!, after: rows.after! }, path, ...bench.options }));
      outputs.push({ output, rows, ...differing, ...columnsOf(sides), ...asideOf(ran, output) });
    }
    return { outcome: outputs.every(isSame) ? "same" : "different", failures, timing, outputs };
  } catch (error) {
    // Rows that no sink could take either, such as text that is none. Which side made them is not known, and the sides are not the same bytes.
    if (!(error instanceof TerminalFailure)) throw error;
    const failure = { code: error.code, message: `what it made can't be compared: ${error.message}` };
    return { outcome: "different", failures: { before: failure, after: failure }, timing, outputs: [] };
  } finally {
    engine.close();
  }
}

function failureOf({ trial: { failure } }: Ran): FileComparison["failures"]["before"] {
  return failure === null ? null : { code: failure.code, message: failure.message };
}

function rowsOf({ trial }: Ran, output: string): number | null {
  return trial.outputs.find((one) => one.output === output)?.rows ?? null;
}

type Rows = Sides<number | null>;

function onlyOne({ before, after }: Rows): Awaited<ReturnType<typeof differRows>> {
  const none = { same: 0, changed: 0, isKeyed: false, keysRepeated: 0, changes: [], examples: [] };
  return { ...none, added: after ?? 0, removed: before ?? 0 };
}

function columnsOf({
  before,
  after,
}: Sides<SideOutput | undefined>): Pick<OutputComparison, "columnsAdded" | "columnsRemoved" | "columnsRetyped"> {
  if (before === undefined || after === undefined) return { columnsAdded: [], columnsRemoved: [], columnsRetyped: [] };
  const typesBefore = new Map(before.columns.map(({ name, type }) => [name, type]));
  const typesAfter = new Map(after.columns.map(({ name, type }) => [name, type]));
  return {
    columnsAdded: after.columns.filter(({ name }) => !typesBefore.has(name)),
    columnsRemoved: before.columns.filter(({ name }) => !typesAfter.has(name)),
    columnsRetyped: before.columns
      .filter(({ name, type }) => typesAfter.has(name) && typesAfter.get(name) !== type)
      .map(({ name, type }) => ({ name, types: { before: type, after: typesAfter.get(name)! } })),
  };
}

function asideOf(ran: Sides<Ran>, output: string): Pick<OutputComparison, "setAside" | "isAsideSame" | "reasons"> {
  const of = ({ trial }: Ran): FileTrial["setAside"][number] | undefined => trial.setAside.find((one) => one.output === output);
  const [before, after] = [of(ran.before), of(ran.after)];
  return {
    setAside: { before: before?.rows ?? 0, after: after?.rows ?? 0 },
    isAsideSame: ran.before.side.aside.get(output) === ran.after.side.aside.get(output),
    reasons: { before: before?.reasons ?? [], after: after?.reasons ?? [] },
  };
}

/** Whether both versions made the same of an output. */
function isSame(output: OutputComparison): boolean {
  const { rows, added, removed, changed, columnsAdded, columnsRemoved, columnsRetyped, isAsideSame } = output;
  if ((rows.before === null) !== (rows.after === null) || !isAsideSame) return false;
  return added + removed + changed + columnsAdded.length + columnsRemoved.length + columnsRetyped.length === 0;
}
