import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TransientFailure } from "../../domain/failure.ts";
import { createDuckdbSink } from "../../sinks/duckdb.ts";
import type { StagedOutput } from "../../sinks/sink.ts";
import { duckdbPython } from "../support/duckdb-python.ts";
import { lineage, numbers } from "./arrow.ts";
import { stageIn } from "./conformance.ts";
import { openDuckdbKind, type DuckdbKind } from "./duckdb-target.ts";

let kind: DuckdbKind;
let sink: ReturnType<typeof createDuckdbSink>;
let uri: string;
beforeAll(async () => {
  kind = await openDuckdbKind();
  sink = createDuckdbSink({ baseDir: kind.baseDir });
});
afterAll(async () => {
  await sink.close();
  await kind.close();
});
beforeEach(() => {
  // Absolute, because other processes use it.
  uri = kind.newUri().replace("duckdb://", `duckdb://${kind.baseDir}/`);
});

test("a process that is killed while it writes leaves nothing but what a sweep takes away", async () => {
  const child = run("write-without-end.ts", uri);
  const lines = createInterface({ input: child.stdout });
  for (let batch = 0; batch < 8; batch += 1) await once(lines, "line");
  await kill(child);
  expect((await kind.traces(uri)).length).toBeGreaterThan(0);
  expect(await sink.sweep(uri, async () => false)).toHaveLength(1);
  expect(await kind.traces(uri)).toEqual([]);
});

test("a commit that is killed at any moment has taken the place of the earlier result, or has not, and can be repeated", async () => {
  const rows = 200_000;
  let present = await version(1, rows + 1);
  await sink.commit(present);
  const killed: string[] = [];
  for (let number = 2; number <= 6; number += 1) {
    const next = await version(number, rows + number);
    const child = run("commit-staged.ts", JSON.stringify(next), JSON.stringify([present]));
    await once(createInterface({ input: child.stdout }), "line");
    // At various moments: whatever they hit, the same must hold.
    await sleep(120 * (number - 2));
    child.kill("SIGKILL");
    killed.push((await child).signal ?? "ended");
    const found = await kind.read(uri);
    expect([`${rows + number - 1} of ${number - 1}`, `${rows + number} of ${number}`]).toContain(`${found.rows} of ${found.jobs.join()}`);
    await sink.commit(next, [present]);
    expect(await kind.read(uri)).toMatchObject({ rows: rows + number, jobs: [String(number)] });
    expect(await sink.isCommitted(next)).toBe(true);
    present = next;
  }
  expect(killed).toContain("SIGKILL");
  await sink.sweep(uri, async () => false);
  expect(await kind.traces(uri)).toEqual([]);
});

test("several processes that commit at once make each result visible once", async () => {
  const [first, second] = [await version(1, 10), await version(2, 5)];
  const others = await Promise.all([3, 4, 5].map((number) => version(number, 10, { mode: "append" })));
  await sink.commit(first);
  // One that waited in vain is tried again, as jobs are.
  const untilCommitted = async (staged: StagedOutput): Promise<void> => {
    const replaced = staged === second ? [first] : [];
    const { exitCode, stderr } = await run("commit-staged.ts", JSON.stringify(staged), JSON.stringify(replaced));
    if (exitCode === 0) return;
    expect(stderr).toContain("TransientFailure");
    await untilCommitted(staged);
  };
  await Promise.all([second, second, ...others].map(untilCommitted));
  expect(await kind.read(uri)).toEqual({ rows: 35, sum: 10 + 3 * 45, jobs: ["2", "3", "4", "5"] });
  expect(await kind.traces(uri)).toEqual([]);
});

test("a file that another program has open is waited for; then the failure may pass, and names the program", async () => {
  await sink.commit(await version(1, 10));
  // Staging needs nothing of the target.
  const [second, third] = [await version(2, 5), await version(3, 5)];
  const impatient = createDuckdbSink({ baseDir: kind.baseDir, lockMsMax: 50 });
  let { holder } = await holdOpen();
  try {
    const waiting = sink.commit(second);
    holder.stdin.end();
    await waiting;
    expect(await kind.read(uri)).toMatchObject({ rows: 15 });
    ({ holder } = await holdOpen());
    const failure = await impatient.commit(third).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TransientFailure);
    expect(failure).toMatchObject({
      code: "SINK_UNREACHABLE",
      message: expect.stringMatching(new RegExp(`Could not set lock on file.*\\(PID ${holder.pid}\\)`)),
    });
    // Once waited for in vain, it is not waited for by the next, who would take part of the record's connections.
    await expect(sink.commit(third)).rejects.toThrow(TransientFailure);
    await expect(sink.isCommitted(third)).rejects.toThrow(TransientFailure);
    holder.stdin.end();
    await holder;
    await sink.commit(third);
    expect(await kind.read(uri)).toMatchObject({ rows: 20 });
  } finally {
    holder.stdin.end();
    await impatient.close();
    await holder;
  }
});

test("a full disk fails the job in DuckDB's own words, and what was committed before is still there", async () => {
  const folder = await mkdtemp(join(tmpdir(), "casparian-full-"));
  const program = (batches: number, table: string): string =>
    `"${process.execPath}" "${join(import.meta.dirname, "commit-rows.ts")}" "duckdb://${folder}/lake.duckdb?table=${table}" ${batches}`;
  try {
    const count = `import duckdb; print(duckdb.connect("${folder}/lake.duckdb", read_only=True).sql("from a").count("n").fetchone()[0])`;
    const steps = [program(1, "a"), program(10, "b"), program(40, "b"), `"${await duckdbPython()}" -c '${count}'`, `ls "${folder}"`];
    const script = [`mount -t tmpfs -o size=14m none "${folder}"`, ...steps].join(" && ");
    const { stdout } = await execa("unshare", ["-rm", "sh", "-c", script]);
    const [first, commit, stage, ...left] = stdout.split("\n");
    const isFull = (doing: string) => ({
      code: "SINK_REFUSED",
      message: expect.stringMatching(new RegExp(`${doing}.*No space left on device`, "s")),
      hint: "Free room on the disk, then retry the job",
    });
    expect([first, commit, stage].map((line) => JSON.parse(line!))).toEqual([{}, isFull("can't be committed"), isFull("can't be staged")]);
    expect(left).toEqual(["100000", "lake.duckdb"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

function version(number: number, rows: number, changes: Parameters<typeof stageIn>[3] = {}): Promise<StagedOutput> {
  const jobId = String(number);
  return stageIn(sink, uri, numbers(rows), { mode: "replace", jobId, lineage: { ...lineage, jobId, fileVersionId: jobId }, ...changes });
}

/** Another program that has the file open until its input ends. */
async function holdOpen() {
  const code = 'import duckdb, sys\nc = duckdb.connect(sys.argv[1])\nprint("open", flush=True)\nsys.stdin.read()';
  const holder = execa(await duckdbPython(), ["-c", code, pathOf(uri)]);
  await once(createInterface({ input: holder.stdout }), "line");
  // Not by itself: it would be waited for.
  return { holder };
}

function pathOf(target: string): string {
  return target.slice("duckdb://".length, target.indexOf("?"));
}

function run(script: string, ...args: readonly string[]) {
  return execa(process.execPath, [join(import.meta.dirname, script), ...args], { reject: false });
}

async function kill(child: ReturnType<typeof run>): Promise<void> {
  child.kill("SIGKILL");
  expect((await child).signal).toBe("SIGKILL");
}
