import { Client, Connection } from "@temporalio/client";
import { encodeSearchAttributeIndexedValueType } from "@temporalio/common/lib/search-attributes.js";
import { msToTs } from "@temporalio/common/lib/time.js";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ServiceUnreachable } from "../../domain/failure.ts";
import { ensureSearchAttributes, keywordAttributes } from "../../services/search-attributes.ts";
import { startTemporal, type Temporal } from "../../services/temporal.ts";
import { searchAttributes } from "../../workflows/names.ts";
import { stateFolder, type StateFolder } from "../support/state-folder.ts";
import { testTemporal } from "../support/temporal.ts";
import { testTools } from "../support/tools.ts";

let folder: StateFolder;
let running: Temporal | undefined;

beforeEach(async () => {
  folder = await stateFolder();
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  await folder.remove();
});

async function start(options: { port?: number; uiPort?: number } = {}): Promise<Temporal> {
  return (running = await startTemporal({ stateDir: folder.path, binary: testTools().temporal, log: folder.log, ...options }));
}

async function withClient<T>({ address, namespace }: Temporal, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await work(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

const attributes = {
  [searchAttributes.source]: ["inbox"],
  [searchAttributes.path]: ["data/finance.csv"],
  [searchAttributes.plugin]: ["finance", "prices"],
  [searchAttributes.state]: ["RUNNING"],
};

test("starts, stops, and starts again with the same workflows at the same addresses", async () => {
  const first = await start();
  await withClient(first, (client) =>
    client.workflow.start("any", { taskQueue: "none", workflowId: "file-version:1", searchAttributes: attributes }),
  );
  await first.stop();
  expect((await first.exited).signal ?? "ended").toBe("ended");
  await first.stop();

  const second = await start();
  expect([second.address, second.uiUrl]).toEqual([first.address, first.uiUrl]);
  const description = await withClient(second, (client) => client.workflow.getHandle("file-version:1").describe());
  expect(description.searchAttributes).toEqual(attributes);
  expect((await fetch(second.uiUrl)).status).toBe(200);
});

test("a home's path may hold any character", async () => {
  const odd = join(folder.path, "odd %20 #1 'q\" ü?x=1");
  running = await startTemporal({ stateDir: odd, binary: testTools().temporal, log: folder.log });
  expect(existsSync(join(odd, "temporal/temporal.db"))).toBe(true);
});

test("tells when the server ends by itself, and the next start goes on", async () => {
  const first = await start();
  process.kill(first.pid, "SIGKILL");
  expect(await first.exited).toEqual({ code: null, signal: "SIGKILL" });
  const second = await start();
  await withClient(second, (client) => client.connection.ensureConnected());
});

test("a port that was asked for and is in use is an error that names it and its setting", async () => {
  const blocker = createServer();
  const port = await new Promise<number>((resolve) => {
    blocker.listen(0, "127.0.0.1", () => resolve((blocker.address() as { port: number }).port));
  });
  for (const [wish, setting] of [
    [{ port }, "[temporal] port"],
    [{ uiPort: port }, "[temporal] ui_port"],
  ] as const) {
    await expect(start(wish)).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: expect.stringContaining(String(port)),
      hint: expect.stringContaining(setting),
    });
  }
  blocker.close();
  expect((await start({ port })).address).toBe(`127.0.0.1:${port}`);
});

test("a program that isn't Temporal is an error with its own words", async () => {
  const options = { stateDir: folder.path, binary: testTools().python, log: folder.log };
  await expect(startTemporal(options)).rejects.toMatchObject({ code: "TEMPORAL_NOT_STARTED", message: expect.stringContaining("server") });
});

test("the attributes are those that the workflows set", () => {
  expect(Object.keys(keywordAttributes).toSorted()).toEqual(Object.values(searchAttributes).toSorted());
});

test("a namespace that lacks the attributes gets them, and workflows can use them at once", async () => {
  const { client, connection, namespace, close } = await testTemporal();
  const { workflowId } = await client.workflow.start("any", {
    taskQueue: "none",
    workflowId: "file-version:1",
    searchAttributes: attributes,
  });
  expect(workflowId).toBe("file-version:1");
  await Promise.all([ensureSearchAttributes(connection, namespace), ensureSearchAttributes(connection, namespace)]);
  await close();
});

test("an attribute that is there with another type is said", async () => {
  const { connection, close } = await testTemporal();
  const namespace = `taken-${Date.now()}`;
  await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs("1 day") });
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: { CasparianPath: encodeSearchAttributeIndexedValueType("INT")! },
  });
  await expect(ensureSearchAttributes(connection, namespace)).rejects.toMatchObject({
    code: "SEARCH_ATTRIBUTES",
    message: expect.stringContaining("CasparianPath"),
  });
  await close();
});

test("a namespace that isn't there is said, with how to make it", async () => {
  const { connection, close } = await testTemporal();
  await expect(ensureSearchAttributes(connection, "not-there")).rejects.toMatchObject({
    code: "TEMPORAL_NAMESPACE",
    message: expect.stringContaining("not-there"),
    hint: expect.stringContaining("namespace create"),
  });
  await close();
});

test("a server that has gone is unreachable", async () => {
  const server = await start();
  const connection = Connection.lazy({ address: server.address });
  await server.stop();
  await expect(connection.withDeadline(Date.now() + 2000, () => ensureSearchAttributes(connection, "default"))).rejects.toBeInstanceOf(
    ServiceUnreachable,
  );
  await connection.close();
});
