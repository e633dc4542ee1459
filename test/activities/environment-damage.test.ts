import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hashArtifact } from "../../bridge/artifact.ts";
import { environmentOf, standardEnvironment } from "../../bridge/environments.ts";
import { activateArtifact, insertArtifact, insertEnvironment } from "../../db/plugin.ts";
import { insertRule } from "../../db/routing-rule.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";

const root = mkdtempSync(join(tmpdir(), "cf-damaged-job-"));
let fixture: JobFixture;
beforeAll(async () => void (fixture = await createJobFixture({ environmentRoot: root })));
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);

/** It loads its module by a name that is made, so that no warm process has it before. */
const source = `
import importlib
import pyarrow as pa

class Handler:
    def execute(self, file_path):
        csv = importlib.import_module("pyarrow." + "csv")
        yield csv.read_csv(file_path)
`;

async function publish(): Promise<void> {
  const { db } = fixture.database;
  const pyarrow = standardEnvironment().lockfile.match(/^pyarrow==[^\n]*\n(?: {4}[^\n]*\n)*/gm)!;
  const environment = environmentOf(pyarrow.join(""), ">=3.10");
  await insertEnvironment(db, environment);
  const manifest = { patterns: ["*.csv"], topic: "lazy" };
  const artifact = { name: "lazy", version: "1", sourceCode: source, manifest, environmentHash: environment.hash, publisher: "test" };
  const id = await insertArtifact(db, { ...artifact, artifactHash: hashArtifact(source, environment.hash) });
  await activateArtifact(db, "lazy", id);
  await insertRule(db, { pattern: "*.csv", pluginName: "lazy", sourceId: null, priority: 0, tag: null });
}

test("a job whose environment is damaged under a warm process costs a build, and not the job", async () => {
  await publish();
  const { activities } = fixture;
  const plan = async (name: string) =>
    (await act(activities.planJobs, { fileVersionId: await fixture.record(name, "a,b\n1,2\n") })).jobs[0]!;
  const first = await plan("one.csv");
  expect(first.environmentReady).toBe(false);
  await act(activities.prepareEnvironment, first);
  expect(await act(activities.runPlugin, { jobId: first.jobId, quick: false })).toEqual({ outcome: "STAGED", attempt: 1 });

  const [folder] = folders();
  rmSync(join(root, folder!, "lib"), { recursive: true });
  const second = await plan("two.csv");
  // Found whole a moment ago, it is not looked at again before something fails.
  expect(second.environmentReady).toBe(true);
  const failed = act(activities.runPlugin, { jobId: second.jobId, quick: false });
  await expect(failed).rejects.toMatchObject({ type: "ENVIRONMENT_DAMAGED", nonRetryable: false });
  expect(await act(activities.runPlugin, { jobId: second.jobId, quick: false })).toEqual({ outcome: "STAGED", attempt: 2 });
  expect(await act(activities.commitJob, { jobId: second.jobId, attempt: 2 })).toEqual({ state: "COMPLETED" });
  expect(folders()).toEqual([folder, `${folder}-2`]);
});

function folders(): readonly string[] {
  const entries = readdirSync(root, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted();
}
