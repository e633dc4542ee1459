import { MockActivityEnvironment } from "@temporalio/testing";
import { expect } from "vitest";
import { upsertTopic } from "../../db/topic.ts";
import type { SinkMode } from "../../domain/topic.ts";
import "./quiet-temporal.ts";
import { commandOn, type RecordCommand } from "./command.ts";
import { createJobFixture, type JobFixture } from "./job-fixture.ts";

/** A home with a record whose jobs run at once, and `casparian` on it. */
export interface QueryFixture extends AsyncDisposable {
  readonly jobs: JobFixture;
  readonly home: string;
  readonly query: RecordCommand;
  /** Publishes a plugin for files of a pattern, with the topic of its one output. */
  publish(name: string, pattern: string, code: string, topic?: { output?: string; mode?: SinkMode; uri?: string }): Promise<void>;
  /** Brings a file's job to where its result is staged. */
  stage(file: string, content: string): Promise<string>;
  commit(jobId: string): Promise<unknown>;
  /** Both; returns the job. */
  produce(file: string, content: string): Promise<string>;
  /** What `casparian query … --json` gives. */
  rows<T = Record<string, unknown>>(...args: readonly string[]): Promise<readonly T[]>;
  /** When the last result was committed, with all digits. */
  committedLast(): Promise<string>;
}

export async function createQueryFixture(options: Parameters<typeof createJobFixture>[0] = {}): Promise<QueryFixture> {
  const jobs = await createJobFixture(options);
  const { folder: home, activities, database } = jobs;
  const query = commandOn(home, database.url);
  const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);
  const stage: QueryFixture["stage"] = async (file, content) => {
    const fileVersionId = await jobs.record(file, content);
    const jobId = (await act(activities.planJobs, { fileVersionId })).jobs[0]!.jobId;
    expect(await act(activities.runPlugin, { jobId, quick: false })).toMatchObject({ outcome: "STAGED" });
    return jobId;
  };
  const commit: QueryFixture["commit"] = (jobId) => act(activities.commitJob, { jobId, attempt: 1 });
  return {
    jobs,
    home,
    query,
    async publish(name, pattern, code, topic = {}) {
      await jobs.publish(name, `# ${name}\n${code}`, pattern);
      const { output = name, mode = "append", uri = `parquet://output/${name}` } = topic;
      await upsertTopic(database.db, name, output, { uri, mode });
    },
    stage,
    commit,
    async produce(file, content) {
      const jobId = await stage(file, content);
      expect(await commit(jobId)).toEqual({ state: "COMPLETED" });
      return jobId;
    },
    rows: <T>(...args: readonly string[]) => query.json<readonly T[]>("query", ...args),
    async committedLast() {
      const { rows: found } = await database.db.query<{ at: string }>(
        `select to_char(max(committed_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at from cf_job_output`,
      );
      return found[0]!.at;
    },
    [Symbol.asyncDispose]: () => jobs[Symbol.asyncDispose](),
  };
}

/** A plugin that yields the tables that the Python text makes, with pa at hand. */
export const yielding = (body: string): string => `import pyarrow as pa
import decimal, datetime
MANIFEST = {"pattern": "*.none", "topic": "output"}
class Handler:
    def execute(self, file_path):
        text = open(file_path).read().strip()
${body.replaceAll(/^/gm, "        ")}
`;
