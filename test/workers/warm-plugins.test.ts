import { mkdir } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MockActivityEnvironment } from "@temporalio/testing";
import type { Wanted } from "../../bridge/parents.ts";
import { warmPlugins } from "../../workers/warm-plugins.ts";
import "../support/quiet-temporal.ts";
import { environmentRoot } from "../support/environment-root.ts";
import { createJobFixture, type JobFixture } from "../support/job-fixture.ts";
import { quietLog } from "../support/quiet-log.ts";
import { csv, csvPlugin } from "../support/samples.ts";
import { testTools } from "../support/tools.ts";

let fixture: JobFixture;
beforeAll(async () => {
  fixture = await createJobFixture();
  await mkdir(`${fixture.folder}/scratch`);
  await fixture.publish("old", csvPlugin, "*.old");
  await fixture.publish("used", `${csvPlugin}\n`, "*.used");
  await fixture.publish("new", `${csvPlugin}\n\n`, "*.new");
  const fileVersionId = await fixture.record("1.used", csv(1));
  await new MockActivityEnvironment().run(fixture.activities.planJobs, { fileVersionId });
});
afterAll(() => fixture?.[Symbol.asyncDispose]());

/** Warms, and notes what the pool was asked for and whether it had room. */
async function warm(more: { readonly requireSignature?: boolean; readonly signal?: AbortSignal; readonly environmentRoot?: string } = {}) {
  const asked: (Wanted & { readonly room: boolean })[] = [];
  const started = await warmPlugins({
    db: fixture.database.db,
    pool: {
      async warm(wanted) {
        const room = await fixture.pool.warm(wanted);
        asked.push({ ...wanted, room });
        return room;
      },
    },
    environmentRoot: more.environmentRoot ?? environmentRoot,
    interpreter: testTools().python,
    scratchRoot: `${fixture.folder}/scratch`,
    inputRoots: ["/nowhere"],
    memoryBytes: 2 ** 31,
    trust: { keys: () => fixture.trustedKeys, requireSignature: more.requireSignature ?? false },
    log: quietLog,
    signal: more.signal ?? new AbortController().signal,
  });
  return { started, asked };
}

test("nothing is loaded of a plugin that may not run, whose environment is not built, or when the worker stops", async () => {
  expect((await warm({ requireSignature: true })).asked).toEqual([]);
  expect((await warm({ environmentRoot: `${fixture.folder}/none` })).asked).toEqual([]);
  expect((await warm({ signal: AbortSignal.abort() })).asked).toEqual([]);
});

test("the plugin that was used last is warmed first, then the latest; those beyond the room are not", async () => {
  const { started, asked } = await warm();
  expect(asked.map(({ plugin, room }) => [plugin.name, room])).toEqual([
    ["used", true],
    ["new", true],
    ["old", false],
  ]);
  expect(started).toBe(2);
  // Its files' folder, so that the first file needs no other parent.
  expect(asked[0]?.inputRoots).toEqual([`${fixture.folder}/in`, "/nowhere"]);
});
