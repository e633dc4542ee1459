import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { startReceiver, type Receiver } from "../control/openlineage/receiver.ts";
import { validEvent, type Event } from "../control/openlineage/validate.ts";
import { listJobs, testProduct } from "../support/product.ts";
import { csv, csvPlugin, failingPlugin } from "../support/samples.ts";
import { patience } from "../support/patience.ts";

const product = await testProduct();
const key = "a-key-that-nobody-may-see";

function describeRuns(events: readonly Event[]): Readonly<Record<string, readonly string[]>> {
  const runs: Record<string, string[]> = {};
  for (const event of events) (runs[event.run.runId] ??= []).push(event.eventType);
  return runs;
}

async function startAt(url: string): Promise<Receiver> {
  return startReceiver(Number(new URL(url).port));
}

test("events of jobs survive the death of everything between commit and sending, and arrive when the endpoint is back", async () => {
  // Only to find a port that is free.
  const first = await startReceiver();
  await first.close();
  await product.write("lineage.key", key);
  await product.write("casparian.toml", `[openlineage]\nurl = "${first.url}"\nnamespace = "tests"\napi_key_file = "lineage.key"\n`);
  await product.json("plugin", "publish", await product.write("clean.py", csvPlugin));
  await product.json("plugin", "publish", await product.write("failing.py", failingPlugin));
  const running = await product.start();
  await writeFile(join(product.inbox, "a.csv"), csv(3));
  await writeFile(join(product.inbox, "b.txt"), "x");
  await vi.waitFor(async () => expect((await listJobs(product)).map(({ state }) => state).toSorted()).toEqual(["COMPLETED", "FAILED"]), {
    ...patience,
    interval: 200,
  });
  await vi.waitFor(async () => expect((await product.run("doctor")).stdout).toContain("can't be reached: connect ECONNREFUSED"), patience);
  await running.killEverything();
  expect(running.output()).not.toContain(key);

  const receiver = await startAt(first.url);
  const again = await product.start();
  await vi.waitFor(() => expect(receiver.events).toHaveLength(4), { ...patience, interval: 100 });
  expect(Object.values(describeRuns(receiver.events)).toSorted()).toEqual([
    ["START", "COMPLETE"],
    ["START", "FAIL"],
  ]);
  expect(receiver.requests.at(-1)!.headers["authorization"]).toBe(`Bearer ${key}`);
  const told = (await product.run("jobs", "events", "--since", "1h")).stdout.trim().split("\n");
  expect(told.toSorted()).toEqual(receiver.requests.map(({ body }) => body).toSorted());
  expect((await product.run("doctor")).stdout).toMatch(/ok +events +OpenLineage events are sent to .*: 4 so far/);
  await again.stop();
  await receiver.close();

  // What was kept until then has no secret.
  const dump = await product.run("sql", "select * from cf_run_event_delivery, cf_run_event_subscriber, cf_audit");
  expect(dump.stdout).not.toContain(key);
});

test("a short command sends what it has done before it ends, here into a file", async () => {
  await product.write("casparian.toml", '[openlineage]\nfile = "lineage.jsonl"\n');
  await writeFile(join(product.inbox, "c.csv"), csv(4));
  expect((await product.run("scan", "--wait")).stderr).not.toContain("OpenLineage");
  const events = (await readFile(join(product.home, "lineage.jsonl"), "utf8")).trim().split("\n").map(validEvent);
  expect(events.map(({ eventType }) => eventType)).toEqual(["START", "COMPLETE"]);
  expect(events[1]!.outputs).toMatchObject([
    { name: join(product.home, "output/output"), outputFacets: { outputStatistics: { rowCount: 4 } } },
  ]);
});
