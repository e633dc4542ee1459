import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { MockActivityEnvironment } from "@temporalio/testing";
import { replayQuarantine, type ReplayedJob } from "../../control/replay-quarantine.ts";
import { approveContract, insertContract } from "../../db/contract.ts";
import { transaction } from "../../db/pool.ts";
import { listRejected } from "../../db/quarantine.ts";
import { upsertTopic } from "../../db/topic.ts";
import type { Contract, ContractColumn } from "../../domain/contract.ts";
import type { JobState } from "../../domain/job-state.ts";
import type { Topic } from "../../domain/topic.ts";
import type { JobFixture } from "./job-fixture.ts";
import { textPlugin } from "./samples.ts";

/** Runs an activity as a worker does, without Temporal. */
export const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);

/** What a reader of a folder finds, `rows of job` for each file, in order; by DuckDB, which needs no process of its own. */
export async function visibleIn(folder: string): Promise<readonly string[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".parquet"));
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const found = await Promise.all(
      files.map(async (name) => {
        const reader = await connection.runAndReadAll(
          `select count(*) || ' of ' || string_agg(distinct _cf_job_id::varchar, ',') from read_parquet('${join(folder, name)}')`,
        );
        return String(reader.getRows()[0]![0]);
      }),
    );
    return found.toSorted();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Jobs that set rows aside, and replays of them, step by step. */
export function replaySteps(fixture: JobFixture) {
  const { db } = fixture.database;
  const context = { db, actor: "test@here", temporal: null };
  const steps = {
    context,

    /** A plugin for files of its own, which end in its name; its output has the name, too. */
    async plugin(name: string, topic?: Topic, source = textPlugin): Promise<void> {
      await fixture.publish(name, `# ${name}\n${source}`, `*.${name}`);
      if (topic !== undefined) await upsertTopic(db, name, name, topic);
    },

    /** Puts a contract into force, of the plugin's output of its own name unless another is named. */
    async contract(
      plugin: string,
      columns: readonly ContractColumn[],
      { output = plugin, ...rest }: Partial<Contract> & { readonly output?: string } = {},
    ): Promise<void> {
      const whole = { policy: "quarantine", rowsMax: null, shareMax: null, jobId: null, author: "test", columns, ...rest } as const;
      await transaction(db, async (tx) => approveContract(tx, await insertContract(tx, { ...whole, plugin, output })));
    },

    async stage(jobId: string): Promise<number> {
      const run = await act(fixture.activities.runPlugin, { jobId, quick: false });
      if (run.outcome !== "STAGED") throw new Error(`job ${jobId} is ${run.outcome}`);
      return run.attempt;
    },
    commit: (jobId: string, attempt = 1) => act(fixture.activities.commitJob, { jobId, attempt }),

    /** Processes one more version of a file. */
    async process(
      name: string,
      content: string,
    ): Promise<{ readonly jobId: string; readonly fileVersionId: string; readonly state: JobState }> {
      const fileVersionId = await fixture.record(name, content);
      const { jobId } = (await act(fixture.activities.planJobs, { fileVersionId })).jobs[0]!;
      return { jobId, fileVersionId, ...(await steps.commit(jobId, await steps.stage(jobId))) };
    },

    /** Asks for a replay as the command does. */
    async ask(jobId: string, insert = true): Promise<ReplayedJob> {
      return (await replayQuarantine(context, { jobId }, { insert }))[0]!;
    },

    /** Asks for it and has a worker plan it; the replay's id. */
    async queue(jobId: string): Promise<string> {
      const { replayId, fileVersionId } = await steps.ask(jobId);
      const { jobs } = await act(fixture.activities.planJobs, { fileVersionId });
      if (!jobs.some(({ jobId: planned }) => planned === replayId)) throw new Error(`planned were ${JSON.stringify(jobs)}`);
      return replayId!;
    },

    async replay(jobId: string): Promise<{ readonly jobId: string; readonly state: JobState }> {
      const replay = await steps.queue(jobId);
      return { jobId: replay, ...(await steps.commit(replay, await steps.stage(replay))) };
    },

    /** `state sent received written set-aside read-back` of each output of each attempt. */
    async ledger(jobId: string): Promise<readonly string[]> {
      const { rows } = await db.query<Record<string, string>>(
        `select state, rows_sent, rows_received, rows_written, rows_quarantined, rows_read_back from cf_job_output where job_id = $1
         order by attempt, output_name`,
        [jobId],
      );
      return rows.map((row) => Object.values(row).join(" "));
    },

    /** The rows that a job set aside: number, replay or null, reasons. */
    async quarantine(jobId: string): Promise<readonly (readonly [number, string | null, ...string[]])[]> {
      const rows = await listRejected(db, { jobId, withReplaced: true }, { limit: 1_000 });
      return rows.map(({ rowNumber, replayedBy, reasons }) => [
        rowNumber,
        replayedBy,
        ...reasons.map(({ column, reason }) => `${column}: ${reason}`),
      ]);
    },
  };
  return steps;
}
