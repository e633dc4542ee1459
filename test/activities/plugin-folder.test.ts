import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { MockActivityEnvironment } from "@temporalio/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hashArtifact } from "../../bridge/artifact.ts";
import { standardEnvironment } from "../../bridge/environments.ts";
import { activateArtifact, insertArtifact, insertEnvironment } from "../../db/plugin.ts";
import { insertRule } from "../../db/routing-rule.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { testTools } from "../support/tools.ts";

let fixture: JobFixture;
beforeAll(async () => void (fixture = await createJobFixture()));
afterAll(() => fixture[Symbol.asyncDispose]());

const act = <A, R>(activity: (input: A) => Promise<R>, input: A): Promise<R> => new MockActivityEnvironment().run(activity, input);

const source = `
import os
import pathlib
from .helper import home_at_import

class Handler:
    def execute(self, file_path):
        own = pathlib.Path(__file__)
        try:
            own.write_text("")
            written = "yes"
        except OSError:
            written = "no"
        seen = sorted(path.name for path in own.parent.iterdir())
        yield [{"in_own_process": str(home_at_import == os.environ["HOME"]), "written": written, "seen": " ".join(seen), "text": own.with_name("words.txt").read_text()}]
`;
const folder = {
  entry: "pack/main.py",
  files: { "pack/helper.py": 'import os\nhome_at_import = os.environ["HOME"]\n', "pack/words.txt": "of the record" },
};

test("a folder that is only in the record is run from there, by the plugin's own process, which can't change it", async () => {
  const { db } = fixture.database;
  const environment = standardEnvironment();
  await insertEnvironment(db, environment);
  const artifact = { name: "pack", version: "1", sourceCode: source, folder, environmentHash: environment.hash, publisher: "test" };
  const artifactHash = hashArtifact(source, environment.hash, folder);
  const id = await insertArtifact(db, { ...artifact, artifactHash, manifest: { patterns: ["*.csv"], topic: "pack" } });
  await activateArtifact(db, "pack", id);
  await insertRule(db, { pattern: "*.csv", pluginName: "pack", sourceId: null, priority: 0, tag: null });
  const fileVersionId = await fixture.record("one.csv", "a\n1\n");
  const [job] = (await act(fixture.activities.planJobs, { fileVersionId })).jobs;
  expect(await act(fixture.activities.runPlugin, { jobId: job!.jobId, quick: false })).toEqual({ outcome: "STAGED", attempt: 1 });
  await act(fixture.activities.commitJob, { jobId: job!.jobId, attempt: 1 });
  const expected = { in_own_process: "True", written: "no", seen: "helper.py main.py words.txt", text: "of the record" };
  const read =
    "import json, sys, pyarrow.dataset as ds; print(json.dumps(ds.dataset(sys.argv[1]).to_table(columns=sys.argv[2:]).to_pylist()))";
  const columns = Object.keys(expected);
  const rows = execFileSync(testTools().environmentPython, ["-c", read, join(fixture.output, "pack"), ...columns], { encoding: "utf8" });
  expect(JSON.parse(rows)).toEqual([expected]);
  await fixture.pool.close();
  expect(readdirSync(join(fixture.folder, "scratch"))).toEqual([]);
});
