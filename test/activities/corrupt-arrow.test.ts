import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ApplicationFailure } from "@temporalio/activity";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { upsertTopic } from "../../db/topic.ts";
import { environmentConnections } from "../support/connections.ts";
import "../support/quiet-temporal.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";

const corrupts = readFileSync(join(import.meta.dirname, "..", "plugins", "corrupts.py"), "utf8");
const cases = [...corrupts.matchAll(/^ {4}"(.*)": \(/gm)].map(([, name]) => name!);
const seeds = Array.from({ length: 12 }, (_, n) => String(n));
const sinks = ["parquet", "jsonl", "csv", "duckdb", "postgres"] as const;

let fixture: JobFixture;
let files = 0;
beforeAll(async () => {
  fixture = await createJobFixture({ connections: environmentConnections });
  process.env["CASPARIAN_CONNECTION_OWN"] = fixture.database.url;
  const targets = {
    parquet: `parquet://${join(fixture.folder, "parquet")}`,
    jsonl: `jsonl://${join(fixture.folder, "jsonl")}`,
    csv: `csv://${join(fixture.folder, "csv")}`,
    duckdb: `duckdb://${join(fixture.folder, "lake.duckdb")}?table=values`,
    postgres: "postgres://own/public.values",
  };
  for (const sink of sinks) {
    await fixture.publish(sink, corrupts, `*.${sink}`);
    await upsertTopic(fixture.database.db, sink, sink, { uri: targets[sink], mode: "append" });
  }
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);

/** The code of the job's failure, or how it ended. */
async function run(sink: string, name: string): Promise<string> {
  const fileVersionId = await fixture.record(`${(files += 1)}.${sink}`, name);
  const { jobs } = await act(fixture.activities.planJobs, { fileVersionId });
  const ended = await act(fixture.activities.runPlugin, { jobId: jobs[0]!.jobId, quick: false }).catch((error: unknown) => error);
  if (!(ended instanceof ApplicationFailure)) return (ended as { readonly outcome: string }).outcome;
  expect(ended).toMatchObject({ nonRetryable: true });
  return ended.type ?? "";
}

const refused = /^(PLUGIN_PROTOCOL|SINK_SCHEMA|SINK_ENCODING|SINK_VALUE)$/;

test.each(sinks)("%s: a batch whose parts contradict each other fails its job, and no other", async (sink) => {
  for (const name of cases) expect(await run(sink, name), name).toMatch(refused);
  expect(await run(sink, "whole")).toBe("STAGED");
});

test.each(sinks)("%s: bytes that were changed anywhere fail the job or are values", async (sink) => {
  const ends: string[] = [];
  for (const seed of seeds) ends.push(await run(sink, seed));
  expect(ends.filter((end) => end !== "STAGED" && !refused.test(end))).toEqual([]);
  expect(ends.filter((end) => end !== "STAGED").length).toBeGreaterThan(seeds.length / 2);
  expect(await run(sink, "whole")).toBe("STAGED");
});
